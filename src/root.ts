/** Where this package is, so that what ships beside the code is found: from `src/`, from `build/` and from the bundle alike. */

import { fileURLToPath } from "node:url";

/** The path of a file or folder of this package. */
export const packaged = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
