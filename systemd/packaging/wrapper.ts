/** /usr/bin/solistend: the first line of the program, with the Node of the package in place of the system's. Pure. */

/**
 * @param program its text; the first line has the environment and options that keep the idle daemon small
 * @throws when that line is none that is known here
 */
export function wrapper(program: string): string {
	const [, environment = "", options = ""] =
		/^#!\/usr\/bin\/env -S ((?:[A-Z_]+=\S+ )*)node((?: --\S+)*)\n/.exec(program) ?? [];
	if (options === "") throw new Error("dist/solistend.js does not begin with #!/usr/bin/env -S … node …");
	const settings = environment
		.trim()
		.split(" ")
		.filter((setting) => setting !== "");
	return `#!/bin/sh
# solistend, with the Node that comes with it. The options keep the idle daemon small.
set -eu
${settings.map((setting) => `export ${setting}\n`).join("")}exec /usr/lib/solistend/bin/node${options} /usr/lib/solistend/dist/solistend.js "$@"
`;
}
