/** The identifiers of the kernel's objects, branded so that one is not taken for another. Pure. */

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** A socket: its cookie in decimal (`bpf_get_socket_cookie`), unique for as long as the host is up. */
export type SocketId = Brand<string, "SocketId">;

/** A network namespace: its cookie in decimal (unlike inode numbers, cookies are never reused). */
export type NetnsKey = Brand<string, "NetnsKey">;

/** Where one can connect to: namespace, bound address and port. */
export type EndpointKey = Brand<string, "EndpointKey">;

export const socketId = (cookie: bigint | string): SocketId => cookie.toString() as SocketId;

export const netnsKey = (cookie: bigint | string): NetnsKey => cookie.toString() as NetnsKey;

export const endpointKey = (netns: NetnsKey, address: string, port: number): EndpointKey =>
	`${netns}|${address}|${port}` as EndpointKey;

/** One on another host, by what it serves and where: with one `|`, it is the key of none that is here. */
export const remoteEndpointKey = (place: string): EndpointKey => place as EndpointKey;
