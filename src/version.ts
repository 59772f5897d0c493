/** The version of this package. */

import { createRequire } from "node:module";
import { packaged } from "./root.js";

export const { version }: { readonly version: string } = createRequire(import.meta.url)(packaged("package.json"));
