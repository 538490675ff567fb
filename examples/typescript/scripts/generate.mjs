// Writes src/messages.ts from the JSON Schemas of the bridge. With --check it
// writes nothing, and fails when the file is not what the schemas say.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const schemas = fileURLToPath(new URL('../../../schema/', import.meta.url));
const target = fileURLToPath(new URL('../src/messages.ts', import.meta.url));

const $defs = {};
for (const file of readdirSync(schemas).filter((name) => name.endsWith('.json')).sort()) {
  const { $schema, $id, $defs: own, ...message } = JSON.parse(readFileSync(schemas + file, 'utf8'));
  Object.assign($defs, own, { [file]: message });
}

// forTypeScript returns a part of a schema as the compiler needs it: references
// lead into one document, and a list of known values that others may join
// becomes a union that still accepts any string.
function forTypeScript(part) {
  if (Array.isArray(part)) return part.map(forTypeScript);
  if (typeof part !== 'object' || part === null) return part;
  const { $ref, anyOf, ...rest } = part;
  const result = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, forTypeScript(value)]));
  const shared = $ref?.match(/#\/\$defs\/(\w+)$/)?.[1];
  if (shared) result.tsType = typeName(shared);
  else if ($ref) result.$ref = '#/$defs/' + $ref;
  const known = anyOf?.find((option) => option.enum)?.enum;
  if (known && anyOf.some((option) => option.pattern)) {
    result.tsType = known.map((value) => JSON.stringify(value)).join(' | ') + ' | (string & {})';
  } else if (anyOf) {
    result.anyOf = forTypeScript(anyOf);
  }
  return result;
}

const typeName = (definition) => definition[0].toUpperCase() + definition.slice(1);

const everything = {
  $defs: Object.fromEntries(Object.entries($defs).map(([name, part]) => [name, { title: typeName(name), ...forTypeScript(part) }])),
  oneOf: Object.keys($defs).map((name) => ({ $ref: '#/$defs/' + name })),
};
const generated = await compile(everything, 'Message', {
  // A reader passes over fields that it does not know; no type offers them.
  additionalProperties: false,
  bannerComment: '// Generated from the JSON Schemas in schema/ by "npm run generate". Do not edit.',
  style: { singleQuote: true, printWidth: 120 },
});

if (!process.argv.includes('--check')) {
  writeFileSync(target, generated);
} else if (readFileSync(target, 'utf8') !== generated) {
  console.error('src/messages.ts is not what the schemas say: run "npm run generate"');
  process.exitCode = 1;
}
