/** A real Podman of a test's own, serving Docker's API; all it has is in a temporary folder. */

import { join } from "node:path";
import { type ContainerEngine, startEngine } from "./container-engine.js";

/** Starts one; needs what test/extended/engines.sh installs. */
export function openPodman(): Promise<ContainerEngine> {
	return startEngine({
		name: "podman",
		files: (folder) => ({
			"containers.conf": `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[network]
network_config_dir = "${folder}/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${folder}/tmp"
volume_path = "${folder}/volumes"
`,
		}),
		command: ({ folder, socket }) => ({
			words: [
				"podman",
				...["--root", join(folder, "root"), "--runroot", join(folder, "run")],
				...["system", "service", "--time=0", `unix://${socket}`],
			],
			env: { CONTAINERS_CONF: join(folder, "containers.conf") },
		}),
		runOptions: (cgroup) => ["--cgroup-parent", cgroup],
		leaves: ["/libpod_parent"],
	});
}
