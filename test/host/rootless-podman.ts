/**
 * A real Podman of a test's own that runs without root: as a user that exists in its mounts alone, whose containers share
 * one address and are reached at published ports; all it has is in a temporary folder.
 */

import { join } from "node:path";
import { type ContainerEngine, startEngine } from "./container-engine.js";

/** Of nobody else on a host, it is to be hoped: nothing is looked up by it. */
const USER = 54_242;

/** Ids of the users in its containers. */
const SUBORDINATE = `rootless:${USER + 1000}:65536\n`;

/**
 * What a distribution sets up for a user: who it is, its share of user ids, the device for its networks, and a part of the
 * one cgroup hierarchy that knows containers without root.
 */
const SETUP = `set -eu
folder=$1 cgroup=/sys/fs/cgroup$2 user=$3
shift 3
if [ ! -e "$folder/home" ]; then
	mkdir "$folder/home" "$folder/run"
	chmod 700 "$folder/run"
	chown "$user:$user" "$folder" "$folder/home" "$folder/run"
	for name in passwd group subuid subgid; do mount --bind "$folder/$name" "/etc/$name"; done
	mknod "$folder/tun" c 10 200
	chmod 666 "$folder/tun"
	mount --bind "$folder/tun" /dev/net/tun
	umount -R /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mkdir -p "$cgroup/engine"
	chown -R "$user:$user" "$cgroup"
fi
echo $$ > "$cgroup/engine/cgroup.procs"
cd "$folder/home"
exec setpriv --reuid "$user" --regid "$user" --clear-groups --pdeathsig TERM -- "$@"`;

/** Starts one; needs what test/extended/engines.sh installs. */
export function openRootlessPodman(): Promise<ContainerEngine> {
	return startEngine({
		name: "podman",
		files: (folder) => ({
			passwd: `root:x:0:0::/:/bin/sh\nrootless:x:${USER}:${USER}::${folder}/home:/bin/sh\n`,
			group: `root:x:0:\nrootless:x:${USER}:\n`,
			subuid: SUBORDINATE,
			subgid: SUBORDINATE,
			"containers.conf": `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`,
		}),
		command: ({ folder, socket, cgroup }) => ({
			words: [
				...["sh", "-c", SETUP, "sh", folder, cgroup, String(USER)],
				...["podman", "system", "service", "--time=0", `unix://${socket}`],
			],
			env: {
				HOME: join(folder, "home"),
				XDG_RUNTIME_DIR: join(folder, "run"),
				CONTAINERS_CONF: join(folder, "containers.conf"),
			},
		}),
	});
}
