/** `npm run generate`: writes into docs/ what is generated from the schema. Does nothing when imported. */

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { schemaFile, withReference } from "./reference.js";

if (argv[1] === fileURLToPath(import.meta.url)) {
	const page = new URL("../../docs/configuration.md", import.meta.url);
	writeFileSync(new URL("../../docs/solistend.schema.json", import.meta.url), schemaFile());
	writeFileSync(page, withReference(readFileSync(page, "utf8")));
}
