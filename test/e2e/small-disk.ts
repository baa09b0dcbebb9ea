/**
 * A small file system for one member, in a mount namespace of the cluster's processes: nobody else sees it, and the kernel
 * takes it away with the last of them.
 */
import { spawnSync } from "node:child_process";

/** As root; else as the root of a user namespace, where the system allows these. */
const ways: readonly (readonly string[])[] = [["--mount"], ["--user", "--map-root-user", "--mount"]];
const way = ways.find(
  (flags) => spawnSync("unshare", [...flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0,
);

/** Why there can be none; undefined: there can. */
export const noSmallDisk =
  way === undefined ? "mounting a file system takes root or user namespaces, and unshare" : undefined;

/** @returns what a command has to begin with so that `place` is an empty file system of so many bytes to it */
export function withSmallDisk(place: string, bytes: number): readonly string[] {
  const mount = `mkdir -p "$1" && mount -t tmpfs -o size=$2,mode=0700 tmpfs "$1" && shift 2 && exec "$@"`;
  return ["unshare", ...(way ?? []), "sh", "-c", mount, "sh", place, String(bytes)];
}

/** The path by which others find a file of this process. */
export function fileOf(pid: number, path: string): string {
  return `/proc/${pid}/root${path}`;
}
