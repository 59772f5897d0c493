/** Numbers of the kernel's tables of IPv4 and sockets (`/proc/net/route`, `/proc/net/tcp`), as bytes. Pure. */

/**
 * The bytes of an address in network order. Each 32-bit word is printed as a number of the host's byte order: little
 * endian wherever Node and BPF run for us.
 */
export function hostOrderBytes(hex: string): number[] {
	const bytes = (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
	return Array.from({ length: bytes.length }, (_, i) => bytes[(i & ~3) + 3 - (i & 3)] ?? 0);
}
