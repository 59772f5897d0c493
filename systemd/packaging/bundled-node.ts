/** Prints the path of the Node that the package for this machine has inside, before its symbols are taken away. */

import { join } from "node:path";
import { CACHE, REPOSITORY, thisArchitecture } from "./deb.js";
import { fetchPlatform } from "./platform.js";

const { node } = await fetchPlatform(thisArchitecture(), REPOSITORY, CACHE);
process.stdout.write(`${join(node, "bin", "node")}\n`);
