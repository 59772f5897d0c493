/**
 * What daemons in tests of a fleet have in place of the sensor and of the look into `/proc`: the real ones, without the
 * namespaces of other hosts. Those begin with `SOLISTEND_TEST_HIDES`, and are not in `SOLISTEND_TEST_SEES`.
 */

import { readdirSync, statSync } from "node:fs";
import { presenceOf as realPresenceOf } from "../../build/identity/presence.js";
import { openSensor as openRealSensor } from "../../build/sensor/sensor.js";

const FOLDER = "/run/netns";
const prefix = process.env.SOLISTEND_TEST_HIDES ?? "";
const seen = new Set((process.env.SOLISTEND_TEST_SEES ?? "").split(","));

const inodeOf = (name) => statSync(`${FOLDER}/${name}`, { throwIfNoEntry: false })?.ino;

/**
 * Whether a namespace is this host's, as of now: to be asked of a whole batch. The folder is read once for each: somebody
 * else's namespace may have ten thousand listeners, and a number may be another namespace's by the next one.
 */
function ownNow() {
	const others = new Set();
	for (const name of readdirSync(FOLDER)) {
		if (name.startsWith(prefix) && !seen.has(name)) others.add(inodeOf(name));
	}
	return (inode) => !others.has(inode);
}

export const openSensor = (options) =>
	openRealSensor({
		...options,
		onEvents(events) {
			const isOwn = ownNow();
			options.onEvents(events.filter((event) => !("listener" in event) || isOwn(event.listener.netnsInode)));
		},
		onRead(read) {
			const isOwn = ownNow();
			options.onRead({ ...read, rows: read.rows.filter(({ netnsInode }) => isOwn(netnsInode)) });
		},
	});

export const presenceOf = (procfs, names, place) => {
	const isOwn = ownNow();
	const pids = () => procfs.pids().filter((pid) => isOwn(procfs.netnsInode(pid)));
	return realPresenceOf({ ...procfs, pids }, names, place);
};
