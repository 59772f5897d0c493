import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { sendDatagram } from "../../src/unix-socket.js";
import { startDaemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import { tempFolder } from "../host/temp-folder.js";

/** Prints each datagram that it gets; perl-base is part of every Debian. `@` for an abstract socket's zero byte. */
const RECEIVER = `
use IO::Socket::UNIX;
my $path = $ARGV[0] =~ s/^@/\\0/r;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "cannot bind: $!";
$| = 1;
print "bound\\n";
while (defined $socket->recv(my $text, 4096)) { print $text }
`;

test.each(["a path", "an abstract name"])("a datagram reaches a socket by %s", async (kind) => {
	await using folder = await tempFolder();
	const address = kind === "a path" ? join(folder.path, "notify") : `@solistend-test-${randomUUID()}`;
	const lines: string[] = [];
	await using _receiver = startProcess(["perl", "-e", RECEIVER, address], { onLine: (line) => lines.push(line) });
	await eventually("the receiver listens", () => lines.includes("bound"));
	sendDatagram(address, "READY=1\nSTATUS=all is well\n");
	sendDatagram(address, "STOPPING=1\n");
	await eventually("the last word arrives", () => lines.includes("STOPPING=1"));
	expect(lines).toEqual(["bound", "READY=1", "STATUS=all is well", "STOPPING=1"]);
});

test("a datagram for nobody is an error that says so", async () => {
	await using folder = await tempFolder();
	expect(() => sendDatagram(join(folder.path, "nobody"), "READY=1\n")).toThrow("ENOENT");
	expect(() => sendDatagram("vsock:2:1", "READY=1\n")).toThrow("it is no unix socket's address");
	expect(() => sendDatagram(`/${"a".repeat(108)}`, "READY=1\n")).toThrow("it is no unix socket's address");
});

test.skipIf(skipPrivileged)("the daemon's one line says that the fleet is frozen, and briefly why", async () => {
	requirePrivileges();
	await using folder = await tempFolder();
	const [address, redis] = [join(folder.path, "notify"), join(folder.path, "redis.sock")];
	const lines: string[] = [];
	await using _receiver = startProcess(["perl", "-e", RECEIVER, address], { onLine: (line) => lines.push(line) });
	await eventually("the receiver listens", () => lines.includes("bound"));
	const config = join(folder.path, "solistend.yaml");
	const places = { state: folder.path, admin: { socket: join(folder.path, "admin.sock") } };
	// One that follows others would wait for them before it is ready.
	const fleet = { redis: `unix://${redis}`, advertise: ["10.0.0.0/8"], subscribe: false };
	await writeFile(config, stringify({ ...places, fleet }));
	await using _daemon = startDaemon({ config, env: { NOTIFY_SOCKET: address } });
	// a long path is cut
	const line = /^STATUS=the fleet is frozen: there is no socket at unix:\/\/\/.+; 0 services with 0 ready backends$/;
	await eventually("it says so", () => lines.some((one) => line.test(one)), { timeoutMs: 40_000 });
});
