/** Who is behind a listening socket, and where it can be reached: the result of the identity stage. */

/** What is known of the process that listens. Absent where the kernel and `/proc` did not tell. */
export interface Identity {
	/** Safe to render and print: any byte outside `[A-Za-z0-9_.:@/-]` is replaced by `_`. */
	readonly comm: string;
	/** Safe, as `comm`. */
	readonly hostname: string;
	/** Path of its cgroup, e.g. `/system.slice/nginx.service`. Safe, as `comm`. */
	readonly cgroup?: string;
	/** systemd unit, e.g. `nginx.service`. Safe, as `comm`. */
	readonly unit?: string;
	/** Full 64-digit container id. */
	readonly container?: string;
	/** The uid of its Kubernetes pod, as Kubernetes writes it. Safe, as `comm`. */
	readonly pod?: string;
	/** The name of the nspawn or LXC container that it is in. Safe, as `comm`. */
	readonly machine?: string;
	/** The container's name, where an engine knows it. Safe, as `comm`. */
	readonly containerName?: string;
	/** The container's image, where an engine knows it. Safe, as `comm`. */
	readonly image?: string;
	/** `host`, or the name under `/run/netns`. Safe, as `comm`. */
	readonly netnsName?: string;
	readonly netnsInode: number;
}

/** The addresses of a network namespace, or why they are not known (yet). */
export type Addresses =
	| { readonly state: "known"; readonly ipv4: readonly string[]; readonly ipv6: readonly string[] }
	| { readonly state: "unknown"; readonly why: string };
