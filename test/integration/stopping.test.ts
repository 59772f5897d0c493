import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openKernel, PACKAGED_OBJECT } from "../../src/sensor/kernel.js";
import { firstChild } from "../host/application.js";
import { eventually } from "../host/eventually.js";
import { addNetns } from "../host/netns.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { kill, type Process, startProcess } from "../host/process.js";
import { rawSocket } from "../host/raw-socket.js";
import { openWatchedTable, type WatchedTable } from "../host/table.js";
import { tempFolder } from "../host/temp-folder.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

const { SIGTERM, SIGINT, SIGQUIT } = constants.signals;

let watched: WatchedTable;
beforeEach(() => {
	watched = openWatchedTable();
	watched.sensor.setStopSignals([SIGTERM, SIGINT]);
});
afterEach(() => watched[Symbol.asyncDispose]());

/** In Perl, since Node gives every signal its default action at start. */
const PRELUDE = `
use IO::Socket::INET;
$| = 1;
sub listen_somewhere { IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die $@ }
sub wait_forever { sleep 1 while 1 }
`;

interface Script extends Process {
	/** What it printed first, as numbers. */
	readonly words: readonly [number, number];
}

/** Runs a script in Perl until it has printed a line. */
async function run(script: string, before: readonly string[] = []): Promise<Script> {
	const lines: string[] = [];
	const started = startProcess([...before, "perl", "-e", PRELUDE + script], {
		onLine: (line, stream) => stream === "stdout" && lines.push(line),
	});
	try {
		const line = await eventually("the script has printed a line", () => lines[0]);
		const [first = 0, second = 0] = line.split(" ").map(Number);
		return { ...started, words: [first, second] };
	} catch (error) {
		await started.close();
		throw error;
	}
}

const inPidNamespace = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--"];

/** The first process of the pid namespace that `unshare` made, as the host numbers it. */
const initOf = ({ pid }: Process) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));

/** Prints its port. SIGTERM, SIGINT and SIGQUIT are handled, and nothing follows. */
const STUBBORN = `
$SIG{$_} = sub {} for qw(TERM INT QUIT);
my $socket = listen_somewhere();
print $socket->sockport, "\\n";
wait_forever();
`;

/** The signals that were told for a process. */
const toldOf = (pid: number) => watched.stops.filter((stop) => stop.pid === pid).map(({ signal }) => signal);
const told = (pid: number, signal: number) => eventually("the signal is told", () => toldOf(pid).includes(signal));
/** One that is still pending is not delivered again. */
const handledAll = (pid: number) =>
	eventually("it has handled what it was told", () =>
		/^ShdPnd:\t0+$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")),
	);
const stoppingAt = (port: number) => watched.table.endpoints().find((endpoint) => endpoint.port === port)?.stopping;

describe.skipIf(skipPrivileged)("a stop signal", () => {
	test("to the process that listens is told before the close that it leads to", async () => {
		await using server = await run('my $socket = listen_somewhere(); print $socket->sockport, "\\n"; wait_forever();');
		const [port] = server.words;
		const { comm } = await watched.listening(port);
		server.signal("SIGTERM");
		await watched.closed(port);
		const [stop] = watched.stops.filter(({ pid }) => pid === server.pid);
		expect(stop).toMatchObject({
			signal: SIGTERM,
			isInit: false,
			comm,
			pidNamespace: statSync("/proc/self/ns/pid").ino,
		});
		const close = watched.events.find(({ kind, listener }) => kind === "close" && listener.port === port);
		expect(stop?.atNs).toBeLessThan(close?.listener.atNs ?? 0);
	});

	test("marks the endpoint while it still listens", async () => {
		await using server = await run(STUBBORN);
		const [port] = server.words;
		await watched.listening(port);
		expect(stoppingAt(port)).toBeUndefined();
		server.signal("SIGTERM");
		await told(server.pid, SIGTERM);
		await watched.read();
		expect([...(stoppingAt(port)?.keys() ?? [])]).toEqual([SIGTERM]);
		server.signal("SIGKILL");
	});

	test("is told for a process that listened before the sensor started, too", async () => {
		await using server = await run(STUBBORN);
		await using later = openWatchedTable();
		later.sensor.setStopSignals([SIGTERM]);
		server.signal("SIGTERM");
		await eventually("the signal is told", () => later.stops.some(({ pid }) => pid === server.pid));
		const [port] = server.words;
		expect(
			later.table
				.endpoints()
				.find((endpoint) => endpoint.port === port)
				?.stopping?.has(SIGTERM),
		).toBe(true);
		server.signal("SIGKILL");
	});

	test("that is ignored is not told", async () => {
		await using server = await run(STUBBORN.replace("qw(TERM INT QUIT);", 'qw(INT QUIT); $SIG{TERM} = "IGNORE";'));
		await watched.listening(server.words[0]);
		server.signal("SIGTERM");
		server.signal("SIGINT");
		await told(server.pid, SIGINT);
		expect(toldOf(server.pid)).toEqual([SIGINT]);
		server.signal("SIGKILL");
	});

	test("to a worker that inherited the socket is not told", async () => {
		await using server = await run(`
			my $socket = listen_somewhere();
			defined(my $worker = fork) or die;
			# the worker never has a handler: it may run later than whoever reads this
			if ($worker) { $SIG{TERM} = sub {}; print $socket->sockport, " $worker\\n" }
			wait_forever();`);
		const [port, worker] = server.words;
		await watched.listening(port);
		kill(worker, "SIGTERM");
		await eventually("the worker has ended", () => readFileSync(`/proc/${worker}/stat`, "utf8").includes(") Z "));
		expect(stoppingAt(port)).toBeUndefined();
		server.signal("SIGTERM");
		await told(server.pid, SIGTERM);
		expect(toldOf(worker)).toEqual([]);
		expect(stoppingAt(port)?.has(SIGTERM)).toBe(true);
		server.signal("SIGKILL");
	});

	test("is told only while it is asked for", async () => {
		await using server = await run(STUBBORN);
		await watched.listening(server.words[0]);
		server.signal("SIGQUIT");
		server.signal("SIGTERM");
		await told(server.pid, SIGTERM);
		await handledAll(server.pid);
		watched.sensor.setStopSignals([SIGQUIT]);
		server.signal("SIGTERM");
		server.signal("SIGQUIT");
		await told(server.pid, SIGQUIT);
		expect(toldOf(server.pid)).toEqual([SIGTERM, SIGQUIT]);
		server.signal("SIGKILL");
	});

	test("to a process that does not listen is not told", async () => {
		await using idler = await run('print "0\\n"; wait_forever();');
		await using server = await run(STUBBORN);
		await watched.listening(server.words[0]);
		idler.signal("SIGTERM");
		await idler.exited;
		server.signal("SIGTERM");
		await told(server.pid, SIGTERM);
		expect(toldOf(idler.pid)).toEqual([]);
		server.signal("SIGKILL");
	});

	test("is told again for targets that the kernel's map has forgotten, after the next read", async () => {
		await using server = await run(STUBBORN);
		await watched.listening(server.words[0]);
		forgetTarget(server.pid);
		server.signal("SIGTERM");
		server.signal("SIGINT");
		await handledAll(server.pid);
		await watched.read();
		server.signal("SIGTERM");
		await told(server.pid, SIGTERM);
		expect(toldOf(server.pid)).toEqual([SIGTERM]);
		server.signal("SIGKILL");
	});
});

describe.skipIf(skipPrivileged)("a stop signal to the first process of a pid namespace", () => {
	/** The first process of a namespace, whose child listens and ignores what it is told. */
	const withChild = (prepare: string) => `
		pipe(my $in, my $out) or die;
		defined(my $child = fork) or die;
		if (!$child) {
			my $socket = listen_somewhere();
			print $out $socket->sockport, "\\n"; close $out;
			wait_forever();
		}
		${prepare}
		print scalar <$in>;
		wait_forever();`;

	test("marks what its children opened", async () => {
		await using container = await run(withChild("$SIG{TERM} = sub {};"), inPidNamespace);
		const [port] = container.words;
		const { pid, pidNamespace } = await watched.listening(port);
		const init = initOf(container);
		expect(pid).not.toBe(init);
		kill(init, "SIGTERM");
		await told(init, SIGTERM);
		expect(watched.stops.find((stop) => stop.pid === init)).toMatchObject({ isInit: true, pidNamespace });
		expect(pidNamespace).toBe(statSync(`/proc/${init}/ns/pid`).ino);
		expect(stoppingAt(port)?.has(SIGTERM)).toBe(true);
		container.signal("SIGKILL");
	});

	test("is not told when that process has no handler: the kernel shields it", async () => {
		await using container = await run(withChild("$SIG{INT} = sub {};"), inPidNamespace);
		await watched.listening(container.words[0]);
		const init = initOf(container);
		kill(init, "SIGTERM");
		kill(init, "SIGINT");
		await told(init, SIGINT);
		expect(toldOf(init)).toEqual([SIGINT]);
		container.signal("SIGKILL");
	});

	test("marks an nginx that runs there, before it closes", async () => {
		await using netns = await addNetns("stopping");
		await using server = await startWebServer({ name: "stopping", netns, port: 8085 });
		await watched.listening(8085);
		// before that it has no handlers, and the kernel shields it
		await eventually("nginx has a worker", () => firstChild(server.pid));
		await server.stop("SIGTERM");
		await watched.closed(8085);
		const [stop] = watched.stops.filter(({ pid }) => pid === server.pid);
		expect(stop).toMatchObject({ signal: SIGTERM, isInit: true, comm: "nginx" });
		const close = watched.events.find(({ kind, listener }) => kind === "close" && listener.port === 8085);
		expect(stop?.atNs).toBeLessThan(close?.listener.atNs ?? 0);
	});
});

describe.skipIf(skipPrivileged)("the hook for stop signals", () => {
	test("is in use on this kernel", () => {
		expect(watched.sensor.hooks().stopping).toEqual({ state: "available", by: "tp_btf/signal_generate" });
	});

	test("is left out where the kernel does not have it; all else works, and the reason is told", async () => {
		await using folder = await tempFolder();
		const object = join(folder.path, "object.o");
		const text = readFileSync(PACKAGED_OBJECT, "latin1");
		writeFileSync(object, text.replaceAll("tp_btf/signal_generate", "tp_btf/signal_generatX"), "latin1");
		const kernel = openKernel(object);
		try {
			kernel.attach();
			kernel.setStopSignals([SIGTERM]);
			expect(kernel.hooks().stopping).toMatchObject({
				state: "not supported",
				why: expect.stringContaining("signal_generatX"),
			});
			expect(kernel.hooks().freezing.state).toBe("available");
			using socket = rawSocket();
			expect(socket.bind(0)).toBe(0);
			expect(socket.listen(1)).toBe(0);
			expect(kernel.read().rows.map(({ port }) => port)).toContain(socket.port());
		} finally {
			kernel.close();
		}
	});
});

/** Takes a process out of this process's map `stop_targets`: the one LRU hash with keys of four bytes. */
function forgetTarget(pid: number): void {
	const [map] = readdirSync("/proc/self/fdinfo").flatMap((fd) => {
		const info = readInfo(fd);
		const isTargets = /^map_type:\t9$/m.test(info) && /^key_size:\t4$/m.test(info);
		return isTargets ? (/^map_id:\t(\d+)$/m.exec(info)?.[1] ?? []) : [];
	});
	const key = Buffer.alloc(4);
	key.writeUInt32LE(pid);
	execFileSync("bpftool", ["map", "delete", "id", map ?? "", "key", ...[...key].map(String)]);
}

/** Empty when the descriptor is gone by now. */
function readInfo(fd: string): string {
	try {
		return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
	} catch {
		return "";
	}
}
