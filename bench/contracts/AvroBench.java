// What Java's Avro spends on one order. usage: AvroBench WRITER READER HEX SECONDS; prints {"decode": ns, ...}.
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

public class AvroBench {
  interface Step {
    Object run() throws Exception;
  }

  static Object kept;

  /** Nanoseconds a step, after as long a time of warming up. */
  static double measure(Step step, double seconds) throws Exception {
    double result = 0;
    for (int round = 0; round < 2; round++) {
      long count = 0;
      long began = System.nanoTime();
      long end = began + (long) (seconds * 1e9);
      while (System.nanoTime() < end) {
        for (int i = 0; i < 1000; i++) kept = step.run();
        count += 1000;
      }
      result = (double) (System.nanoTime() - began) / count;
    }
    return result;
  }

  static Step decode(Schema writer, Schema reader, byte[] bytes) {
    GenericDatumReader<Object> datum = new GenericDatumReader<>(writer, reader);
    BinaryDecoder[] decoder = new BinaryDecoder[1];
    Object[] reused = new Object[1];
    return () -> {
      decoder[0] = DecoderFactory.get().binaryDecoder(bytes, decoder[0]);
      return reused[0] = datum.read(reused[0], decoder[0]);
    };
  }

  public static void main(String[] args) throws Exception {
    Schema writer = new Schema.Parser().parse(Files.readString(Path.of(args[0])));
    Schema reader = new Schema.Parser().parse(Files.readString(Path.of(args[1])));
    byte[] bytes = new byte[args[2].length() / 2];
    for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) Integer.parseInt(args[2].substring(2 * i, 2 * i + 2), 16);
    double seconds = Double.parseDouble(args[3]);
    Object value = decode(writer, writer, bytes).run();
    GenericDatumWriter<Object> datum = new GenericDatumWriter<>(writer);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
    Step encode = () -> {
      out.reset();
      datum.write(value, encoder);
      encoder.flush();
      return out;
    };
    System.out.printf("{\"decode\": %f, \"resolve\": %f, \"encode\": %f}%n", measure(decode(writer, writer, bytes), seconds),
        measure(decode(writer, reader, bytes), seconds), measure(encode, seconds));
  }
}
