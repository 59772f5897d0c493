/**
 * A real nginx as it runs in a container: a master and a worker, in a network namespace, with a hostname and process
 * ids of its own. Knows nothing of who connects to it.
 */

import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.js";
import { lifetime } from "./lifetime.js";
import { enter, type Netns } from "./netns.js";
import { httpLines } from "./nginx.js";
import { kill, startProcess } from "./process.js";
import { tempFolder } from "./temp-folder.js";

export interface WebServerOptions {
	/** Letters, digits and `-`: what it says of itself in its answers. */
	readonly name: string;
	/** Default: the host's namespace. */
	readonly netns?: Netns;
	/** Default: all IPv4 addresses. IPv6 in brackets. */
	readonly address?: string;
	readonly port?: number;
	/** UTS hostname, any bytes but NUL; default: the name. */
	readonly hostname?: string;
	/** Command name of its processes, any bytes but NUL and `/`; default: nginx. */
	readonly comm?: string;
	/** Where to keep its configuration; made when missing, and left there. Default: a temporary one. */
	readonly folder?: string;
}

export interface WebServer extends AsyncDisposable {
	readonly name: string;
	readonly port: number;
	/** Of its master, as the host sees it. */
	readonly pid: number;
	/** What nginx was started with. */
	readonly configFile: string;
	/** Ends all of it and waits until it is gone: by SIGKILL (default) as in a crash, or by SIGTERM as in a stop. */
	stop(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
	/** Stops it, and removes its temporary folder. */
	close(): Promise<void>;
}

const NGINX = "/usr/sbin/nginx";

/**
 * Starts a web server that answers every request with `hello from NAME`. Resolves when it listens.
 *
 * Its processes share a pid namespace, so that a SIGKILL to the master takes the worker with it, as in a container.
 *
 * @throws Error with nginx's own words when it cannot start
 */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
	const { name, netns, address = "0.0.0.0", port = 80, hostname = name, comm } = options;
	const owned = lifetime();
	try {
		const folder = options.folder ?? owned.own(await tempFolder("solistend-nginx")).path;
		await mkdir(folder, { recursive: true });
		const program = comm === undefined ? NGINX : join(folder, comm);
		if (comm !== undefined) await symlink(NGINX, program);
		const configFile = join(folder, "nginx.conf");
		await writeFile(configFile, nginxConfig(folder, name, `${address}:${port}`));

		const nginx = owned.own(
			startProcess([
				...enter(netns),
				...["unshare", "--uts", "--pid", "--fork", "--kill-child=KILL", "--"],
				...withHostname(hostname),
				...[program, "-c", configFile],
			]),
		);
		const ended = new AbortController();
		nginx.exited.then(({ code }) =>
			ended.abort(new Error(`nginx ${name} ended with code ${code}:\n${nginx.lastLines()}`)),
		);
		const pid = await eventually(
			`nginx ${name} listens on port ${port}`,
			async () => {
				const child = await onlyChild(nginx.pid);
				return child !== undefined && (await isListening(child, port)) && child;
			},
			{ everyMs: 5, signal: ended.signal },
		);
		const stop = async (signal: "SIGKILL" | "SIGTERM" = "SIGKILL") => {
			if (!ended.signal.aborted) kill(pid, signal);
			await nginx.exited;
		};
		owned.own({ close: stop });
		return { name, port, pid, configFile, stop, close: owned.close, [Symbol.asyncDispose]: owned.close };
	} catch (error) {
		await owned.close();
		throw error;
	}
}

const nginxConfig = (folder: string, name: string, listen: string) => `daemon off;
master_process on;
worker_processes 1;
error_log stderr;
pid ${folder}/nginx.pid;
events {}
http {
	${httpLines(folder).join("\n\t")}
	server {
		listen ${listen};
		default_type text/plain;
		return 200 "hello from ${name}\n";
	}
}
`;

/**
 * Command words that set the UTS hostname and run what follows. Straight to the system call: `hostname` refuses what
 * a hostile container can set, and /proc/sys/kernel/hostname ends at a newline.
 */
function withHostname(hostname: string): string[] {
	const SYS_SETHOSTNAME = process.arch === "x64" ? 170 : 161;
	const script = `my $name = shift;
syscall(${SYS_SETHOSTNAME}, $name, length $name) == 0 or die "sethostname: $!\n";
exec @ARGV or die "$ARGV[0]: $!\n"`;
	return ["perl", "-e", script, hostname];
}

/** The one child of a process, if it has one by now. */
async function onlyChild(pid: number): Promise<number | undefined> {
	const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim();
	return children === "" ? undefined : Number(children.split(" ")[0]);
}

/** Whether something listens on a TCP port in the network namespace of a process. proc(5), `/proc/net/tcp`. */
async function isListening(pid: number, port: number): Promise<boolean> {
	const LISTEN = "0A";
	const tables = await Promise.all(["tcp", "tcp6"].map((table) => readFile(`/proc/${pid}/net/${table}`, "utf8")));
	return tables
		.flatMap((table) => table.split("\n").slice(1))
		.map((line) => line.trim().split(/\s+/))
		.some(([, local, , state]) => state === LISTEN && Number.parseInt(local?.split(":").at(-1) ?? "", 16) === port);
}
