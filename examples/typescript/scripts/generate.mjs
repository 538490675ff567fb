// Writes src/messages.ts from the JSON Schemas of the bridge, and src/advice.ts from
// the tables in docs/answers.md, which a test compares with the Go package schema.
// With --check it writes nothing, and fails when a file differs from its source.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const schemas = fileURLToPath(new URL('../../../schema/', import.meta.url));
const answers = fileURLToPath(new URL('../../../docs/answers.md', import.meta.url));
const target = (name) => fileURLToPath(new URL('../src/' + name, import.meta.url));

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
const messages = await compile(everything, 'Message', {
  // A reader passes over fields that it does not know; no type offers them.
  additionalProperties: false,
  bannerComment: '// Generated from the JSON Schemas in schema/ by "npm run generate". Do not edit.',
  style: { singleQuote: true, printWidth: 120 },
});


// rows returns the cells of a table in docs/answers.md.
function rows(name, columns) {
  const table = readFileSync(answers, 'utf8').split(`<!-- ${name} -->\n`)[1]?.split(`<!-- end of ${name} -->`)[0];
  const found = (table ?? '').trim().split('\n').slice(2).map((line) => line.replace(/^\| | \|$/g, '').split(' | '));
  if (!found.length || found.some((cells) => cells.length !== columns)) throw new Error(`docs/answers.md has no table of ${name}`);
  return found.map((cells) => cells.map((cell) => cell.replace(/^`|`$/g, '')));
}

const literal = (value) => JSON.stringify(value);
const advices = {};
for (const [command, code, next, means, what] of rows('codes', 5)) {
  (advices[command] ??= []).push(`    ${code}: { next: ${literal(next)}, means: ${literal(means)}, do: ${literal(what)} },`);
}
const verdicts = rows('statuses', 4).map(([status, means, what, cancelled]) => {
  const [, outcome, words] = means.match(/^(\w+): (.*)$/);
  return `  ${status}: { outcome: ${literal(outcome)}, means: ${literal(words)}, do: ${literal(what)}, cancelled: ${literal(cancelled)} },`;
});

const advice = `// Generated from docs/answers.md by "npm run generate". Do not edit.

/** What a till does next: send it again at once, later, follow the order, or change the request. */
export type Next = 'again' | 'later' | 'follow' | 'change';

/** What an error code means after a command, and what to do. */
export interface Advice {
  next: Next;
  means: string;
  do: string;
}

/** What a status says about the money. */
export type Outcome = 'open' | 'paid' | 'unpaid' | 'returned' | 'unsettled';

/** What a status means. "do" is for an event or the answer to start or get, "cancelled" for the answer to cancel. */
export interface Verdict {
  outcome: Outcome;
  means: string;
  do: string;
  cancelled: string;
}

export type Command = ${Object.keys(advices).map((name) => `'${name}'`).join(' | ')};

const advices: Record<Command, Record<string, Advice>> = {
${Object.entries(advices).map(([command, list]) => `  ${command}: {\n${list.join('\n')}\n  },`).join('\n')}
};

const verdicts: Record<string, Verdict> = {
${verdicts.join('\n')}
};

const own = <T>(table: Record<string, T>, key: string): T | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

/** Says what to do after an error. A code that this version does not know says nothing about a payment: follow the order. */
export function adviceOn(command: Command, code: string): Advice {
  return own(advices[command], code) ?? {
    next: 'follow',
    means: 'This version does not know the answer. It says nothing about a payment.',
    do: 'Follow the order until a status is final, and do not charge again before.',
  };
}

/** Says what a status means, also one that this version does not know. */
export function verdictOn(status: string, final: boolean): Verdict {
  const lookUp = 'Look the order up at MultiSafepay before you charge again.';
  return own(verdicts, status) ?? (final
    ? { outcome: 'unsettled', means: 'over, with a status that this version does not know', do: lookUp, cancelled: lookUp }
    : { outcome: 'open', means: 'a status that this version does not know', do: 'Wait for a final status.', cancelled: 'Not cancelled yet: wait for a final status. It may still be paid.' });
}
`;

for (const [name, generated] of Object.entries({ 'messages.ts': messages, 'advice.ts': advice })) {
  if (!process.argv.includes('--check')) {
    writeFileSync(target(name), generated);
  } else if (readFileSync(target(name), 'utf8') !== generated) {
    console.error(`src/${name} differs from its source: run "npm run generate"`);
    process.exitCode = 1;
  }
}
