#!/usr/bin/env node
/** The command line. Each command is a file of its own, loaded only when it runs. */

import { createRequire } from "node:module";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { type ErrorCode, SolistendError } from "../errors.js";
import { DEFAULT_CONFIG } from "./config.js";
import { printNotice } from "./output.js";

/** 0 fine, 1 a problem found, 2 wrong usage, 3 no daemon or a privilege is missing. */
const EXIT_CODES: Record<ErrorCode, number> = { config: 1, unsupported: 1, proxy: 1, sensor: 1, privilege: 3 };
const WRONG_USAGE = 2;

/** Already told by yargs. */
class UsageError extends Error {}

/** Aborted by SIGINT or SIGTERM. */
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
// A reader that has seen enough (`solistend watch | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (error.code !== "EPIPE") throw error;
	interrupted.abort();
});

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
const config = {
	type: "string",
	alias: "c",
	default: DEFAULT_CONFIG,
	requiresArg: true,
	describe: "configuration file",
} as const;
const json = { type: "boolean", default: false, describe: "machine-readable output" } as const;

/** Runs a command and keeps its exit code. */
const exitWith = async (code: Promise<number>) => {
	process.exitCode = await code;
};

try {
	await yargs(hideBin(process.argv))
		.scriptName("solistend")
		.usage("$0 <command>\n\nKeeps HAProxy's and Nginx's backends equal to what is really listening.")
		.command(
			"run",
			"the daemon, in the foreground; SIGHUP re-reads, SIGTERM stops",
			(y) => y.options({ config }),
			(args) => exitWith(import("./run.js").then(({ run }) => run(args, interrupted.signal))),
		)
		.command(
			"watch",
			"live listen and close events of the whole host; needs no daemon",
			(y) =>
				y.options({
					json: { ...json, describe: "one JSON object a line" },
					port: { type: "number", requiresArg: true, describe: "only this port" },
					pid: { type: "number", requiresArg: true, describe: "only this process" },
					netns: {
						type: "string",
						requiresArg: true,
						describe: "only this namespace: its name, inode number, or host",
					},
					comm: { type: "string", requiresArg: true, describe: "only these commands (glob)" },
					close: { type: "boolean", default: true, describe: "closes, too (--no-close: only listens)" },
				}),
			(args) => exitWith(import("./watch.js").then(({ watch }) => watch(args, interrupted.signal))),
		)
		.command(
			"ls",
			"everything that listens now, in every namespace; needs no daemon",
			(y) => y.options({ json, config }),
			(args) =>
				exitWith(import("./ls.js").then(({ ls }) => ls({ ...args, isConfigGiven: args.config !== DEFAULT_CONFIG }))),
		)
		.command(
			"render",
			"what would be written now, to stdout",
			(y) =>
				y.options({ config, proxy: { type: "string", alias: "p", requiresArg: true, describe: "only this proxy" } }),
			(args) => exitWith(import("./render.js").then(({ render }) => render(args))),
		)
		.command(
			"check",
			"configuration and templates: every problem with its place",
			(y) => y.options({ config }),
			(args) => exitWith(import("./check.js").then(({ check }) => check(args))),
		)
		.command(
			"doctor",
			"what this host has and lacks, each with its mend",
			(y) => y.options({ json, config }),
			(args) => exitWith(import("./doctor.js").then(({ doctor }) => doctor(args))),
		)
		.completion("completion", "a script for shell completion")
		.version(version)
		.help()
		.alias("help", "h")
		.demandCommand(1, "which command? (solistend --help lists them)")
		.strict()
		.exitProcess(false)
		.fail((message, error, y) => {
			if (error) throw error;
			printNotice(`solistend: ${message}\n`);
			y.showHelp((help) => printNotice(help));
			process.exitCode = WRONG_USAGE;
			throw new UsageError();
		})
		.parseAsync();
} catch (error) {
	report(error);
}

/** A known trouble is a message; anything else is a bug, and shows its stack. */
function report(error: unknown): void {
	if (error instanceof UsageError) return;
	if (error instanceof SolistendError) {
		printNotice(error.code === "config" ? error.message : `solistend: ${error.message}`);
		process.exitCode = EXIT_CODES[error.code];
		return;
	}
	printNotice(error instanceof Error ? (error.stack ?? error.message) : String(error));
	process.exitCode = 1;
}
