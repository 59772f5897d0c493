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

/** Names of those that are another host's, by inode number. */
const others = new Map();

const inodeOf = (name) => statSync(`${FOLDER}/${name}`, { throwIfNoEntry: false })?.ino;

function isOwn(inode) {
	const known = others.get(inode);
	if (known !== undefined && inodeOf(known) === inode) return false;
	others.clear();
	for (const name of readdirSync(FOLDER)) {
		if (name.startsWith(prefix) && !seen.has(name)) others.set(inodeOf(name), name);
	}
	return !others.has(inode);
}

export const openSensor = (options) =>
	openRealSensor({
		...options,
		onEvents: (events) =>
			options.onEvents(events.filter((event) => !("listener" in event) || isOwn(event.listener.netnsInode))),
		onRead: (read) => options.onRead({ ...read, rows: read.rows.filter(({ netnsInode }) => isOwn(netnsInode)) }),
	});

export const presenceOf = (procfs, names, place) =>
	realPresenceOf({ ...procfs, pids: () => procfs.pids().filter((pid) => isOwn(procfs.netnsInode(pid))) }, names, place);
