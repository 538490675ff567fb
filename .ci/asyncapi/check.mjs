// Reads an AsyncAPI document, and the schemas that it refers to, with AsyncAPI's
// own parser. Prints what is wrong, and fails on errors and warnings.
import { Parser, fromFile } from '@asyncapi/parser';

const file = process.argv[2];
const { document, diagnostics } = await fromFile(new Parser(), file).parse();
const problems = diagnostics.filter((d) => d.severity <= 1);
for (const { code, message, path } of problems) console.error(`${file}: ${path.join('/')}: ${message} (${code})`);
if (!document || problems.length > 0) process.exit(1);
const headers = document.allMessages().all().filter((message) => message.headers()).length;
console.log(`${file}: ${document.allChannels().length} channels, ${document.allMessages().length} messages, ${headers} with headers`);
