/**
 * Network namespaces of a test or the demo: alone, or with an address on a bridge of their own (a segment). All are
 * removed by `close`; those of a run that crashed are removed by the next one. Knows nothing of what runs in them.
 */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { messageOf } from "../../src/errors.js";
import { eventually } from "./eventually.js";
import { ip, ipJson } from "./ip.js";
import { lifetime } from "./lifetime.js";
import { isAbandoned, ownerMark } from "./owner.js";
import { kill } from "./process.js";
import { freeSubnets, type Subnet } from "./subnets.js";

export interface Netns extends AsyncDisposable {
	/** Name under `/run/netns`. */
	readonly name: string;
	/** Kills what runs in it, and removes it. */
	close(): Promise<void>;
}

/** A namespace that the host can reach. */
export interface ConnectedNetns extends Netns {
	/** IPv4 address of its `eth0`. */
	readonly address: string;
}

/** A bridge in the host's namespace and what is connected to it. */
export interface Segment extends AsyncDisposable {
	readonly bridge: string;
	/** `10.203.N.0/24`. */
	readonly subnet: string;
	/** The host's own address on the bridge. */
	readonly gateway: string;
	/**
	 * Its MAC address follows from its address, as Docker has it: who comes back with an address is known at once.
	 *
	 * @param name short: it becomes part of the namespace's name
	 * @param address one of the subnet that is free, such as that of a namespace that was closed; default: the next
	 */
	addNetns(name: string, address?: string): Promise<ConnectedNetns>;
	/** The same for a namespace that is there already; it stays when the segment goes. */
	connect(netns: Netns, address?: string): Promise<ConnectedNetns>;
	/** Removes its namespaces, last first, then the bridge. */
	close(): Promise<void>;
}

export interface NamingOptions {
	/** Namespaces are named `PREFIX-PID-NAME`. */
	readonly prefix?: string;
	/** Leaves the process id out of the name, where that name is free. */
	readonly friendly?: boolean;
}

const NETNS_FOLDER = "/run/netns";
const BRIDGE_PREFIX = "solist";
const DEFAULT_PREFIX = "slt";

/** Command words that run what follows them in a namespace; none for the host's. /sys stays as it is, unlike with `ip netns exec`. */
export function enter(netns: Netns | undefined): string[] {
	return netns === undefined ? [] : ["nsenter", `--net=${NETNS_FOLDER}/${netns.name}`, "--"];
}

/** A namespace with nothing but its loopback, up. */
export async function addNetns(name: string, naming: NamingOptions = {}): Promise<Netns> {
	const fullName = nameFor(name, naming);
	await ip([`netns add ${fullName}`]);
	const close = () => removeNetns(fullName);
	try {
		await ip(["link set lo up", `link set lo alias "${ownerMark()}"`], fullName);
	} catch (error) {
		await close();
		throw error;
	}
	return { name: fullName, close, [Symbol.asyncDispose]: close };
}

/** A bridge with a free subnet of 10.203.0.0/16; first removes what crashed runs of this prefix left. */
export async function openSegment(naming: NamingOptions = {}): Promise<Segment> {
	await removeStale(naming.prefix);
	const { number, subnet, gateway } = await takeSubnet();
	const bridge = bridgeOf(number);
	const owned = lifetime();
	owned.own({ close: () => removeLink(bridge) });
	await ip([`addr add ${gateway}/24 dev ${bridge}`, `link set ${bridge} up`]);
	let last = 1;

	/** @param release of the namespace itself */
	const connect = async (netns: Netns, release: () => Promise<void>, address = `10.203.${number}.${++last}`) => {
		const port = `${bridge}-${address.split(".").at(-1)}`;
		const close = async () => {
			await release();
			// Goes with the namespace, too, but only some time after it.
			await removeLink(port);
		};
		owned.own({ close });
		await ip([
			`link add ${port} type veth peer name eth0 address ${macOf(address)} netns ${netns.name}`,
			`link set ${port} master ${bridge} up`,
		]);
		await ip([`addr add ${address}/24 dev eth0`, "link set eth0 up"], netns.name);
		return { name: netns.name, address, close, [Symbol.asyncDispose]: close };
	};

	return {
		bridge,
		subnet,
		gateway,
		async addNetns(name, address) {
			const netns = await addNetns(name, naming);
			return connect(netns, netns.close, address);
		},
		connect: (netns, address) => connect(netns, async () => {}, address),
		close: owned.close,
		[Symbol.asyncDispose]: owned.close,
	};
}

/**
 * Removes bridges, and namespaces whose names begin with `PREFIX-`, that were made here by a process that is gone.
 *
 * @returns the names of what was removed
 */
export async function removeStale(prefix: string = DEFAULT_PREFIX): Promise<string[]> {
	const removed: string[] = [];
	for (const name of await readdir(NETNS_FOLDER).catch(() => [])) {
		if (!name.startsWith(`${prefix}-`)) continue;
		const [loopback] = await ipJson(["link", "show", "lo"], name).catch(() => []);
		if (!isAbandoned(loopback?.ifalias)) continue;
		await removeNetns(name);
		removed.push(name);
	}
	for (const { ifname, ifalias } of await ipJson(["link", "show", "type", "bridge"])) {
		if (!ifname?.startsWith(`${BRIDGE_PREFIX}-`) || !isAbandoned(ifalias)) continue;
		await ip([`link del ${ifname}`]);
		removed.push(ifname);
	}
	return removed;
}

function nameFor(name: string, { prefix = DEFAULT_PREFIX, friendly = false }: NamingOptions): string {
	const plain = `${prefix}-${name}`;
	if (friendly && !isThere(plain)) return plain;
	return `${prefix}-${process.pid}-${name}`;
}

const macOf = (address: string) =>
	["02", "42", ...address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"))].join(":");

const bridgeOf = (number: number) => `${BRIDGE_PREFIX}-${number}`;

/** Makes a bridge. Its name stands for the subnet: who makes it first has it. */
async function takeSubnet(): Promise<Subnet> {
	for (const subnet of await freeSubnets()) {
		const bridge = bridgeOf(subnet.number);
		try {
			await ip([`link add ${bridge} type bridge`, `link set ${bridge} alias "${ownerMark()}"`]);
			return subnet;
		} catch (error) {
			if (!messageOf(error).includes("File exists")) throw error;
		}
	}
	throw new Error("cannot find a free subnet in 10.203.0.0/16 (remove bridges that nobody needs: ip link del NAME)");
}

const isThere = (name: string) => existsSync(`${NETNS_FOLDER}/${name}`);

async function removeNetns(name: string): Promise<void> {
	if (!isThere(name)) return;
	await eventually(`${name} has no more processes`, async () => {
		const pids = (await ip([`netns pids ${name}`])).split("\n").filter((line) => line !== "");
		for (const pid of pids) kill(Number(pid), "SIGKILL");
		return pids.length === 0;
	});
	await ip([`netns del ${name}`]);
}

async function removeLink(name: string): Promise<void> {
	if (!existsSync(`/sys/class/net/${name}`)) return;
	await ip([`link del ${name}`]).catch((error: unknown) => {
		// The kernel was faster.
		if (existsSync(`/sys/class/net/${name}`)) throw error;
	});
}
