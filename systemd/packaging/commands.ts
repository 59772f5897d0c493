/** What the program says of itself, by running it: help of each command, and completion scripts. */

import { execPath } from "node:process";
import { execa } from "execa";
import type { CommandHelp } from "./manual.js";

export interface CommandLine {
	readonly commands: readonly CommandHelp[];
	readonly completions: { readonly bash: string; readonly zsh: string };
}

/** @param program path of dist/solistend.js */
export async function commandLine(program: string): Promise<CommandLine> {
	const run = async (words: readonly string[], shell = "/bin/bash"): Promise<string> => {
		const { stdout } = await execa(execPath, [program, ...words], {
			env: { SHELL: shell, ZSH_NAME: "", COLUMNS: "80", LC_ALL: "C" },
		});
		return stdout;
	};
	const names = (await run(["--get-yargs-completions", "solistend", ""])).trim().split("\n");
	return {
		commands: await Promise.all(names.map(async (name) => ({ name, help: await run([name, "--help"]) }))),
		completions: { bash: await run(["completion"]), zsh: await run(["completion"], "/bin/zsh") },
	};
}
