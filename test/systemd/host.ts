/**
 * A booted Debian 12 with HAProxy, Nginx, and solistend where its package puts it: units, user, rule for polkit, wrapper.
 * What was built here is seen in it; applications and clients in it are transient units.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseLive } from "../../src/proxies/haproxy/live.js";
import { copyUnits } from "../../systemd/packaging/units.js";
import { wrapper } from "../../systemd/packaging/wrapper.js";
import { type BootedSystem, bootSystem } from "../host/booted-system.js";
import { eventually } from "../host/eventually.js";
import { tempFolder } from "../host/temp-folder.js";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const LIBRARY = "/usr/lib/solistend";
const NODE = `${LIBRARY}/bin/node`;

/** Disposed of without a result, it stops all the same. */
export interface Load extends AsyncDisposable {
	/** Stops asking; what came of it. */
	end(): Promise<{ readonly asked: number; readonly failed: number; readonly troubles: Record<string, number> }>;
}

export interface ServiceHost extends AsyncDisposable {
	readonly system: BootedSystem;
	sh: BootedSystem["sh"];
	try: BootedSystem["try"];
	/** Writes a file in it, with its folder. */
	write(path: string, text: string): Promise<void>;
	/**
	 * An application that answers with its port, on the host's own addresses: the unit `app-PORT`. On SIGTERM it goes on for
	 * 300 ms, then closes, and ends once all that was asked is answered.
	 */
	startApplication(port: number): Promise<void>;
	startLoad(url: string, perSecond: number): Promise<Load>;
	/** What HAProxy's running worker has. */
	live(): Promise<ReturnType<typeof parseLive>>;
	/** A property of a unit. */
	show(unit: string, property: string): Promise<string>;
}

/**
 * Boots and installs; nothing of solistend is started, but by what is on the disk.
 *
 * @param disk as with {@link bootSystem}
 */
export async function openServiceHost(disk?: string): Promise<ServiceHost> {
	await using stage = await tempFolder();
	await copyUnits(join(REPOSITORY, "systemd"), stage.path);
	const program = join(stage.path, "usr/bin/solistend");
	await mkdir(dirname(program), { recursive: true });
	await writeFile(program, wrapper(await readFile(join(REPOSITORY, "dist/solistend.js"), "utf8")), { mode: 0o755 });

	const folders = [
		[process.execPath, NODE],
		...["dist", "node_modules", "templates", "package.json"].map(
			(name) => [join(REPOSITORY, name), `${LIBRARY}/${name}`] as const,
		),
		[stage.path, "/stage"],
		[join(REPOSITORY, "test/systemd"), "/test"],
	] as const;
	const system = await bootSystem(folders, disk);
	const { sh } = system;
	try {
		await sh("cp -r --no-preserve=ownership /stage/usr /");
		await sh("apt-get -qq -y --no-download --no-install-recommends install libbpf1 polkitd >/dev/null");
		// Nginx's pid file names a process of this system: the daemon is to see its own ones here, not the machine's.
		await sh("rm -f /run/systemd/system/solistend.service.d/host-proc.conf");
		await sh("systemd-sysusers solistend.conf && systemd-tmpfiles --create solistend.conf && systemctl daemon-reload");
	} catch (error) {
		await system.close();
		throw error;
	}

	const write = async (path: string, text: string) => {
		const coded = Buffer.from(text).toString("base64");
		await sh(`mkdir -p "$(dirname ${path})" && echo ${coded} | base64 -d >${path}`);
	};
	return {
		system,
		sh,
		try: system.try,
		write,
		async startApplication(port) {
			const code = `
				const server = require('http').createServer((_, response) => response.end('${port}')).listen(${port});
				process.on('SIGTERM', () => setTimeout(() => server.close(), 300))`;
			await sh(`systemd-run --quiet --unit=app-${port} ${NODE} -e "${code}"`);
			await eventually(`application ${port} answers`, async () => {
				return (await system.try(`curl -sf -m 1 http://127.0.0.1:${port}/`)).code === 0;
			});
		},
		async startLoad(url, perSecond) {
			const unit = `load-${crypto.randomUUID()}`;
			await sh(
				`systemd-run --quiet --unit=${unit} -p StandardOutput=file:/run/${unit} ${NODE} /test/load.mjs ${url} ${perSecond}`,
			);
			return {
				async [Symbol.asyncDispose]() {
					await system.try(`systemctl stop ${unit}`);
				},
				async end() {
					await sh(`systemctl stop ${unit}`);
					return JSON.parse(await sh(`cat /run/${unit}`));
				},
			};
		},
		async live() {
			// perl-base is part of every Debian
			const ask =
				'my $s = IO::Socket::UNIX->new(Peer => "/run/haproxy/admin.sock") or die; print $s "show info;show backend;show servers state\\n"; print while <$s>';
			return parseLive(await sh(`perl -MIO::Socket::UNIX -e '${ask}'`));
		},
		show: (unit, property) => sh(`systemctl show --property=${property} --value ${unit}`),
		[Symbol.asyncDispose]: () => system.close(),
	};
}
