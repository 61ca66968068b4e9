package watch

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// localTypes are the file systems on which all writers go through this kernel, so that inotify
// hears of each (statfs(2), linux/magic.h). Others may be changed from elsewhere: nfs, cifs, 9p,
// virtiofs, fuse, vboxsf, drvfs.
var localTypes = map[uint32]string{
	unix.EXT4_SUPER_MAGIC:      "ext4", // ext2 and ext3 too
	unix.XFS_SUPER_MAGIC:       "xfs",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.TMPFS_MAGIC:           "tmpfs",
	unix.RAMFS_MAGIC:           "ramfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.F2FS_SUPER_MAGIC:      "f2fs",
	unix.REISERFS_SUPER_MAGIC:  "reiserfs",
	unix.MSDOS_SUPER_MAGIC:     "vfat",
	0x2fc12fc1:                 "zfs",
	0xca451a4e:                 "bcachefs",
	0x3153464a:                 "jfs",
	0x2011bab0:                 "exfat",
	0x7366746e:                 "ntfs3",
	0x61756673:                 "aufs",
	0x794c764f:                 "overlayfs", // of old kernels
}

// remoteTypes are names for the message.
var remoteTypes = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "nfs",
	unix.SMB_SUPER_MAGIC:  "smb",
	unix.CIFS_SUPER_MAGIC: "cifs",
	unix.SMB2_SUPER_MAGIC: "smb2",
	unix.V9FS_MAGIC:       "9p",
	unix.FUSE_SUPER_MAGIC: "fuse or virtiofs",
	unix.CEPH_SUPER_MAGIC: "ceph",
	unix.AFS_SUPER_MAGIC:  "afs",
	unix.CODA_SUPER_MAGIC: "coda",
	0x786f4256:            "vboxsf",
	0x53464846:            "wslfs",
}

// local reports whether events on the file system of dir can be relied on. One that cannot be asked
// is taken for local: it is gone, and its return is seen.
func local(dir string) (bool, string) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return true, ""
	}
	magic := uint32(st.Type)
	if name, ok := remoteTypes[magic]; ok {
		return false, name
	}
	if name, ok := localTypes[magic]; ok {
		return true, name
	}
	return false, fmt.Sprintf("type %#x", magic)
}
