/** The commands, as yargs reads them. Each is a file of its own, loaded only when it runs. */

import yargs from "yargs";
import { version } from "../version.js";
import { DEFAULT_CONFIG } from "./config.js";
import { printNotice } from "./output.js";

const WRONG_USAGE = 2;

/** Wrong usage, told already. */
class UsageError extends Error {}

/** Words that do not go together, still to be told. */
class WrongWords extends Error {}

const config = {
	type: "string",
	alias: "c",
	default: DEFAULT_CONFIG,
	requiresArg: true,
	describe: "configuration file",
} as const;
const json = { type: "boolean", default: false, describe: "machine-readable output" } as const;

/** How the running daemon is found. */
const daemon = {
	config,
	socket: { type: "string", requiresArg: true, describe: "the daemon's control socket; default: as configured" },
} as const;
const what = {
	type: "string",
	demandOption: true,
	describe: "service/address:port, address:port, or a service: all its backends",
} as const;
const isGiven = ({ config }: { readonly config: string }) => ({ isConfigGiven: config !== DEFAULT_CONFIG });

/** One whole number; anything else is wrong usage. */
const number = {
	type: "string",
	requiresArg: true,
	coerce(text: string | string[]): number {
		if (typeof text === "string" && /^\d+$/.test(text)) return Number(text);
		throw new Error(`"${text}" is not a whole number`);
	},
} as const;

/** Runs a command and keeps its exit code. */
const exitWith = async (code: Promise<number>) => {
	process.exitCode = await code;
};

/**
 * Reads the words of the command line, and runs what they say.
 *
 * @param interrupted aborts at SIGINT and SIGTERM
 * @throws SolistendError as the command does; wrong usage is told here.
 */
export async function runCommandLine(words: readonly string[], interrupted: AbortSignal): Promise<void> {
	try {
		await yargs(words)
			.scriptName("solistend")
			.usage("$0 <command>\n\nKeeps HAProxy's and Nginx's backends equal to what is really listening.")
			.command(
				"run",
				"the daemon, in the foreground; SIGHUP re-reads, SIGTERM stops",
				(y) => y.options({ config }),
				(args) => exitWith(import("./run.js").then(({ run }) => run(args, interrupted))),
			)
			.command(
				"watch",
				"live events of the whole host: listen, close, stop signals, pauses; needs no daemon",
				(y) =>
					y.options({
						json: { ...json, describe: "one JSON object a line" },
						port: { ...number, describe: "only this port" },
						pid: { ...number, describe: "only this process" },
						netns: {
							type: "string",
							requiresArg: true,
							describe: "only this namespace: its name, inode number, or host",
						},
						comm: { type: "string", requiresArg: true, describe: "only these commands (glob)" },
						close: { type: "boolean", default: true, describe: "closes, too (--no-close: only listens)" },
					}),
				(args) => exitWith(import("./watch.js").then(({ watch }) => watch(args, interrupted))),
			)
			.command(
				"ls",
				"everything that listens now, in every namespace; needs no daemon",
				(y) => y.options({ json, config }),
				(args) => exitWith(import("./ls.js").then(({ ls }) => ls({ ...args, ...isGiven(args) }))),
			)
			.command(
				"status",
				"the running daemon: services, backends, proxies, losses",
				(y) =>
					y.options({
						json,
						fleet: { type: "boolean", default: false, describe: "the other hosts: lease, lag, version, backends" },
						watch: { type: "boolean", alias: "w", default: false, describe: "on the whole terminal, until q" },
						...daemon,
					}),
				(args) =>
					exitWith(import("./status.js").then(({ status }) => status({ ...args, ...isGiven(args) }, interrupted))),
			)
			.command(
				"explain [what]",
				"why a listener is in a pool, or in none; without WHAT: all that are held up",
				(y) =>
					y
						.positional("what", {
							type: "string",
							describe: "port, pid, container (id or name), netns, service, or backend: whatever fits",
						})
						.options({
							json,
							port: { ...number, describe: "only this port" },
							pid: { ...number, describe: "only this process, which called listen()" },
							netns: {
								type: "string",
								requiresArg: true,
								describe: "only this namespace: name, inode number, or host",
							},
							container: {
								type: "string",
								requiresArg: true,
								describe: "only this container: name, or 4 digits of its id",
							},
							service: { type: "string", requiresArg: true, describe: "only this service" },
							...daemon,
						})
						.check(({ what, port, pid, netns, container, service }) => {
							const words = [what, port, pid, netns, container, service].filter((word) => word !== undefined);
							if (words.length > 1) throw new WrongWords("explain takes WHAT or one of its options, not several");
							if (words.includes("")) throw new WrongWords("explain what? (the word is empty)");
							return true;
						}),
				(args) => exitWith(import("./explain.js").then(({ explain }) => explain({ ...args, ...isGiven(args) }))),
			)
			.command(
				"drain <what>",
				"gives backends no new work, until they are released",
				(y) => y.positional("what", what).options(daemon),
				(args) => exitWith(import("./hold.js").then(({ hold }) => hold({ ...args, ...isGiven(args) }, "drain"))),
			)
			.command(
				"drain-host",
				"other hosts send this one no new work, and then forget it: for maintenance",
				(y) =>
					y.options({
						undo: { type: "boolean", default: false, describe: "takes it back: others send work again" },
						...daemon,
					}),
				(args) => exitWith(import("./drain-host.js").then(({ drainHost }) => drainHost({ ...args, ...isGiven(args) }))),
			)
			.command(
				"hold <what>",
				"takes backends out, until they are released",
				(y) => y.positional("what", what).options(daemon),
				(args) => exitWith(import("./hold.js").then(({ hold }) => hold({ ...args, ...isGiven(args) }, "down"))),
			)
			.command(
				"release <what>",
				"gives backends back that were drained or held",
				(y) => y.positional("what", what).options(daemon),
				(args) => exitWith(import("./hold.js").then(({ release }) => release({ ...args, ...isGiven(args) }))),
			)
			.command(
				"forget <service>",
				"a service that exists by label, and that no container serves, is no more",
				(y) =>
					y
						.positional("service", { type: "string", demandOption: true, describe: "name of the service" })
						.options(daemon),
				(args) => exitWith(import("./forget.js").then(({ forget }) => forget({ ...args, ...isGiven(args) }))),
			)
			.command(
				"render",
				"what would be written now, to stdout",
				(y) =>
					y.options({
						config,
						proxy: { type: "string", alias: "p", requiresArg: true, describe: "only this proxy" },
						diff: { type: "boolean", default: false, describe: "what differs from the live files, as a unified diff" },
					}),
				(args) => exitWith(import("./render.js").then(({ render }) => render(args))),
			)
			.command(
				"check",
				"configuration and templates: every problem with its place",
				(y) => y.options({ config }),
				(args) => exitWith(import("./check.js").then(({ check }) => check(args))),
			)
			.command(
				"fallback",
				"HAProxy's own checks on, where fallbackChecks has them; for when the daemon died",
				(y) => y.options({ config }),
				(args) => exitWith(import("./fallback.js").then(({ fallback }) => fallback(args))),
			)
			.command(
				"prepare",
				"before the proxies start after a boot: their files exist, and HAProxy's name nobody from before",
				(y) => y.options({ config }),
				(args) => exitWith(import("./prepare.js").then(({ prepare }) => prepare(args))),
			)
			.command(
				"apply <proxy>",
				"as root: puts the file in place that the daemon left for a proxy with apply: unit, and reloads",
				(y) =>
					y
						.positional("proxy", { type: "string", demandOption: true, describe: "name of the proxy" })
						.options({ config }),
				(args) => exitWith(import("./apply.js").then(({ apply }) => apply(args, interrupted))),
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
				// what a coerce says comes as a YError
				if (error && error.name !== "YError" && !(error instanceof WrongWords)) throw error;
				printNotice(`solistend: ${message}\n`);
				y.showHelp((help) => printNotice(help));
				process.exitCode = WRONG_USAGE;
				throw new UsageError(message);
			})
			.parseAsync();
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
	}
}
