// Answers questions about Avro with Java's library, a line of JSON each; tests/lib/avro.py asks.
//
// {"writer": schema, "reader": schema, "hex": [...]} ->
//   {"compatible", "problems": [{"kind", "at"}], "canonical", "crc64", "text",
//    "values": [{"written", "again": hex, "json", "single": hex, "read" or "error"}]}
//
// {"writer": schema, "avro_json": [...]} -> {"hex": [...]}: values in Avro's JSON, encoded.
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.JsonEncoder;
import org.apache.avro.message.BinaryMessageEncoder;

public class AvroPeer {
  static final ObjectMapper MAPPER = new ObjectMapper();

  static byte[] bytes(String hex) {
    byte[] out = new byte[hex.length() / 2];
    for (int i = 0; i < out.length; i++) out[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
    return out;
  }

  static String hex(byte[] bytes) {
    StringBuilder out = new StringBuilder();
    for (byte b : bytes) out.append(String.format("%02x", b));
    return out.toString();
  }

  static byte[] content(ByteBuffer buffer) {
    byte[] out = new byte[buffer.remaining()];
    buffer.duplicate().get(out);
    return out;
  }

  static void bytes(JsonGenerator out, byte[] bytes) throws IOException {
    out.writeStartObject();
    out.writeStringField("bytes", hex(bytes));
    out.writeEndObject();
  }

  static void write(JsonGenerator out, Object value) throws IOException {
    if (value == null) {
      out.writeNull();
    } else if (value instanceof Boolean b) {
      out.writeBoolean(b);
    } else if (value instanceof Integer || value instanceof Long) {
      out.writeNumber(((Number) value).longValue());
    } else if (value instanceof Float || value instanceof Double) {
      double real = ((Number) value).doubleValue();
      if (Double.isNaN(real) || Double.isInfinite(real)) out.writeString(Double.toString(real)); else out.writeNumber(real);
    } else if (value instanceof ByteBuffer buffer) {
      bytes(out, content(buffer));
    } else if (value instanceof GenericFixed fixed) {
      bytes(out, fixed.bytes());
    } else if (value instanceof IndexedRecord record) {
      out.writeStartObject();
      for (Schema.Field field : record.getSchema().getFields()) {
        out.writeFieldName(field.name());
        write(out, record.get(field.pos()));
      }
      out.writeEndObject();
    } else if (value instanceof Map<?, ?> map) {
      out.writeStartObject();
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.writeFieldName(entry.getKey().toString());
        write(out, entry.getValue());
      }
      out.writeEndObject();
    } else if (value instanceof Collection<?> items) {
      out.writeStartArray();
      for (Object item : items) write(out, item);
      out.writeEndArray();
    } else {
      out.writeString(value.toString());
    }
  }

  static Object read(byte[] bytes, Schema writer, Schema reader) throws IOException {
    BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, null);
    Object value = new GenericDatumReader<Object>(writer, reader).read(null, decoder);
    if (!decoder.isEnd()) throw new IOException("bytes behind the value");
    return value;
  }

  static String json(Object value, Schema schema) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    JsonEncoder encoder = EncoderFactory.get().jsonEncoder(schema, out);
    new GenericDatumWriter<Object>(schema).write(value, encoder);
    encoder.flush();
    return out.toString(StandardCharsets.UTF_8);
  }

  static String binary(Object value, Schema schema) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
    new GenericDatumWriter<Object>(schema).write(value, encoder);
    encoder.flush();
    return hex(out.toByteArray());
  }

  static void from_json(JsonGenerator out, JsonNode row) throws IOException {
    Schema schema = new Schema.Parser().parse(row.get("writer").asText());
    out.writeArrayFieldStart("hex");
    for (JsonNode text : row.get("avro_json")) {
      Object value = new GenericDatumReader<Object>(schema).read(null, DecoderFactory.get().jsonDecoder(schema, text.asText()));
      out.writeString(binary(value, schema));
    }
    out.writeEndArray();
  }

  static void value(JsonGenerator out, byte[] bytes, Schema writer, Schema reader) throws IOException {
    out.writeStartObject();
    Object written = read(bytes, writer, writer);
    out.writeFieldName("written");
    write(out, written);
    out.writeStringField("again", binary(written, writer));
    out.writeStringField("json", json(written, writer));
    ByteBuffer single = new BinaryMessageEncoder<Object>(GenericData.get(), writer).encode(written);
    out.writeStringField("single", hex(content(single)));
    Object read = null;
    String error = null;
    try {
      read = read(bytes, writer, reader);
    } catch (RuntimeException | IOException problem) {
      error = problem.toString();
    }
    if (error != null) {
      out.writeStringField("error", error);
    } else {
      out.writeFieldName("read");
      write(out, read);
    }
    out.writeEndObject();
  }

  static void answer(JsonGenerator out, JsonNode row) throws IOException {
    Schema writer = new Schema.Parser().parse(row.get("writer").asText());
    Schema reader = new Schema.Parser().parse(row.get("reader").asText());
    SchemaCompatibility.SchemaCompatibilityResult result =
        SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult();
    boolean compatible = result.getCompatibility() == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE;
    out.writeBooleanField("compatible", compatible);
    out.writeArrayFieldStart("problems");
    for (SchemaCompatibility.Incompatibility problem : result.getIncompatibilities()) {
      out.writeStartObject();
      out.writeStringField("kind", problem.getType().name());
      out.writeStringField("at", problem.getLocation());
      out.writeEndObject();
    }
    out.writeEndArray();
    out.writeStringField("canonical", SchemaNormalization.toParsingForm(writer));
    out.writeStringField("crc64", String.format("%016x", SchemaNormalization.parsingFingerprint64(writer)));
    out.writeStringField("text", writer.toString());
    out.writeArrayFieldStart("values");
    for (JsonNode hex : row.get("hex")) value(out, bytes(hex.asText()), writer, reader);
    out.writeEndArray();
  }

  /** Reads a container file and writes what it holds as another, with a codec. */
  static void copy(String from, String to, String codec) throws IOException {
    try (DataFileReader<Object> in = new DataFileReader<>(new File(from), new GenericDatumReader<>());
        DataFileWriter<Object> out = new DataFileWriter<>(new GenericDatumWriter<>(in.getSchema()))) {
      out.setCodec(CodecFactory.fromString(codec));
      out.setSyncInterval(2000);
      out.create(in.getSchema(), new File(to));
      for (Object value : in) out.append(value);
    }
  }

  public static void main(String[] args) throws IOException {
    if (args.length == 3) {
      copy(args[0], args[1], args[2]);
      return;
    }
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line; (line = in.readLine()) != null; ) {
      StringWriter text = new StringWriter();
      try {
        JsonGenerator generator = MAPPER.createGenerator(text);
        generator.writeStartObject();
        JsonNode row = MAPPER.readTree(line);
        if (row.has("avro_json")) from_json(generator, row); else answer(generator, row);
        generator.writeEndObject();
        generator.flush();
      } catch (RuntimeException | IOException problem) {
        text = new StringWriter();
        MAPPER.writeValue(text, Map.of("error", problem.toString()));
      }
      out.println(text);
    }
    out.flush();
  }
}
