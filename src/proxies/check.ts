/**
 * Asks the proxy's own tool about a candidate. A check that names `{{output}}` gets the candidate's path; one that does
 * not looks at the live paths, as `nginx -t` does, and finds the candidate mounted in the output's place, in a mount
 * namespace of its own: nobody else sees it there. Knows nothing of what is in the file.
 */

import { readFile, rm, stat, writeFile } from "node:fs/promises";
import type { ProxyConfig } from "../config/schema.js";
import { SolistendError } from "../errors.js";
import { outputFiles } from "./atomic-write.js";
import { runCommand } from "./command.js";

/** Bit in the sets of capabilities, capabilities(7). */
const CAP_SYS_ADMIN = 21n;

/** Mounts the first argument over the second and runs the rest. */
const MOUNT = 'mount --bind "$1" "$2" || exit 125; shift 2; exec "$@"';

/**
 * The check of a proxy for its transactions; undefined where none is configured.
 * @throws SolistendError (its promise) with what the tool said, or why it could not be asked.
 */
export function checker({
	output: path,
	check: command,
	timeout: timeoutMs,
}: Pick<ProxyConfig, "output" | "check" | "timeout">) {
	if (command === undefined) return undefined;
	const named = command.some((part) => part.includes("{{output}}"));
	return async (candidate: string, signal: AbortSignal): Promise<void> => {
		const run = (within: readonly string[]) =>
			runCommand({ what: "check", command, output: candidate, within, timeoutMs, signal });
		if (named) return run([]);
		const { output } = await outputFiles(path);
		await requireMounts(command, output);
		const placeholder = await makePlaceholder(output);
		try {
			await run(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", MOUNT, "sh", candidate, output]);
		} finally {
			await placeholder?.remove();
		}
	};
}

async function requireMounts(command: readonly string[], output: string): Promise<void> {
	const status = await readFile("/proc/self/status", "utf8");
	const [, effective = "0"] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
	if ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) return;
	throw new SolistendError(
		"proxy",
		`cannot run the check command "${command.join(" ")}" with the new file in the place of ${output}: that takes CAP_SYS_ADMIN (write {{output}} into the check, or run solistend as root)`,
	);
}

/**
 * Something to mount on, where there is no file yet: an empty one, for as long as the check runs. To an include pattern
 * that is no change; a whole file that was not there could not be read before either.
 */
async function makePlaceholder(output: string): Promise<{ remove(): Promise<void> } | undefined> {
	try {
		await writeFile(output, "", { flag: "wx", mode: 0o644 });
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
		throw error;
	}
	const made = await stat(output);
	return {
		async remove() {
			const found = await stat(output).catch(() => undefined);
			if (found?.ino === made.ino && found.size === 0) await rm(output, { force: true });
		},
	};
}
