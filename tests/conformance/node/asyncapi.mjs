// Reads AsyncAPI documents, and says of each what AsyncAPI's own parser says: one line of JSON a file.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const SEVERITIES = ["error", "warning", "information", "hint"];
const parser = new Parser();
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(file, "utf8"));
  console.log(JSON.stringify({
    file,
    channels: document === undefined ? null : document.channels().all().length,
    operations: document === undefined ? null : document.operations().all().length,
    said: diagnostics.map((one) => ({
      severity: SEVERITIES[one.severity],
      code: String(one.code),
      message: one.message,
      place: one.path.join("."),
    })),
  }));
}
