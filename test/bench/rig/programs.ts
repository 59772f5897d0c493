/** The proxies that the benchmarks run: the host's, and those of Debian 13 where their root is there (test/extended). */

import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { HAPROXY, NGINX } from "../../host/programs.js";

export interface Program {
	/** With its version. */
	readonly title: string;
	readonly path: string;
}

const EXTENDED = fileURLToPath(new URL("../../extended/haproxy", import.meta.url));

/** HAProxy of the host, then HAProxy 3.0 where it is. */
export async function haproxies(): Promise<Program[]> {
	const found = await Promise.all([HAPROXY, EXTENDED].map(haproxy));
	return found.filter((program) => program !== undefined);
}

async function haproxy(path: string): Promise<Program | undefined> {
	const { stdout, failed } = await execa(path, ["-v"], { reject: false });
	const version = /version (\d+\.\d+)/.exec(stdout ?? "")?.[1];
	return failed || version === undefined ? undefined : { title: `HAProxy ${version}`, path };
}

/** One line of all versions. */
export async function versionsOf(): Promise<string> {
	const words = await Promise.all([
		...(await haproxies()).map(async ({ path }) => (await execa(path, ["-v"])).stdout),
		execa(NGINX, ["-v"]).then(({ stderr }) => stderr),
	]);
	return words
		.map((text) => text.replace(/^nginx version: nginx\//, "Nginx ").replace(/version (\S+).*/s, "$1"))
		.join(", ");
}
