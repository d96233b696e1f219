// Reads a container file with avsc, prints each value as Avro's JSON, and writes them as another file with deflate.
import avro from 'avsc';

const [from, to] = process.argv.slice(2);
let encoder;
let type;
avro.createFileDecoder(from)
  .on('metadata', (read) => {
    type = read;
    encoder = avro.createFileEncoder(to, type, { codec: 'deflate' });
    encoder.on('finish', () => process.exitCode = 0);
  })
  .on('data', (value) => {
    console.log(type.toString(value));
    encoder.write(value);
  })
  .on('end', () => encoder.end())
  .on('error', (problem) => {
    console.error(problem.message);
    process.exit(1);
  });
