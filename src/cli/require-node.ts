/**
 * Whether the Node that runs this is new enough: one that is not fails at the first word that it does not know, with words
 * that help nobody. Pure, and loads nothing that an old one can't.
 */

import { SolistendError } from "../errors.js";

/** As `engines` in package.json has it. */
const OLDEST = { major: 20, minor: 19 };

/**
 * @param version as in `process.versions.node`
 * @param path where that Node is
 * @throws SolistendError (`unsupported`) when it is older than what is needed
 */
export function requireNode(version: string, path: string): void {
	const [major = 0, minor = 0] = version.split(".").map(Number);
	if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return;
	const needed = `${OLDEST.major}.${OLDEST.minor}`;
	throw new SolistendError(
		"unsupported",
		`cannot run on Node ${version}, which is ${path} (install Node ${needed} or newer; the Debian package has one inside)`,
	);
}
