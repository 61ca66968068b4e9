package listeners

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/seccomp"
)

// answer answers one call. The app waits for it: whatever happens here, it gets an answer.
func (h *Holder) answer(c call) {
	answered := false
	defer func() {
		if !answered {
			_ = c.Continue(c.Notification) // ErrGone: it asks again, or is dead
		}
		if c.Call == seccomp.Listen {
			h.tellListens()
		}
	}()
	h.guarded(func() { answered = h.tryAnswer(c) })
}

// tryAnswer reports whether the call is answered; it is not when the kernel is to do it.
func (h *Holder) tryAnswer(c call) (answered bool) {
	var err error
	switch c.Call {
	case seccomp.Bind:
		answered, err = h.bind(c)
	case seccomp.Listen:
		answered, err = h.listen(c)
	case seccomp.Exec:
		err = h.exec(c)
	}
	switch {
	case err == nil, errors.Is(err, errNothing):
	case errors.Is(err, errLost):
		h.lost()
	case !errors.Is(err, seccomp.ErrGone):
		h.failed(err)
	}
	return answered
}

// exec ends holding when the app starts a program that the filter takes privileges from: sudo below make
// or npm. It is the kernel's in any case, and this one has failed or does without.
func (h *Holder) exec(c call) error {
	if h.table.Off() != "" {
		return nil
	}
	path, within, err := programOf(c.Notification)
	if err != nil {
		return err
	}
	has := osproc.Privileges(within)
	if has == "" {
		return nil
	}
	if !c.Waiting(c.Notification) {
		return seccomp.ErrGone
	}
	h.do(h.table.Failed(fmt.Sprintf("the app has started %s, which %s, and the filter takes that from it; the next start is without the filter", path, has), ""))
	return nil
}

// bind answers a bind. answered is false when the kernel is to do it.
func (h *Holder) bind(c call) (answered bool, err error) {
	if h.table.Off() != "" && h.standIn.deputy == nil {
		return false, nil
	}
	addr, err := addressOf(c.Notification)
	if err != nil {
		return false, err
	}
	own, err := socketOf(c.Notification)
	if err != nil {
		return false, err
	}
	defer unix.Close(own)
	if family, _ := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_DOMAIN); (family == unix.AF_INET6) != addr.Addr().Is6() {
		return false, errNothing // the kernel refuses it
	}
	if !c.Waiting(c.Notification) {
		return false, seccomp.ErrGone
	}
	r := hold.Request{Gen: c.gen, Place: hold.Place{Net: netOf(own), Addr: addr}, Options: optionsOf(own)}
	if r.Inode, err = inodeOf(own); err != nil {
		return false, err
	}
	if answered, err := h.standInFor(c, own, r); answered || err != nil || h.table.Off() != "" {
		return answered, err
	}
	if near := h.table.Near(r.Place); len(near) > 0 {
		h.look(&r, near, c.Notification)
	}
	verdict, inode, acts := h.table.Bind(time.Now(), r)
	h.do(acts)
	switch verdict {
	case hold.HandOver:
		return h.handOver(c, own, inode)
	case hold.Confirm:
		return true, c.Succeed(c.Notification)
	}
	return false, nil
}

// look finds out what a bind that a kept socket has to do with is decided by.
func (h *Holder) look(r *hold.Request, near []uint64, n seccomp.Notification) {
	count, sets, _ := survey(h.pids())
	r.Open = map[uint64]bool{}
	for _, inode := range near {
		r.Open[inode] = count[inode] > 0
	}
	switch {
	case count[r.Inode] > 1:
		r.Fixed = "the descriptor of the new socket was duplicated before bind"
	case polled(sets, n.FD, r.Inode):
		r.Fixed = "the new socket was in an epoll set before bind"
	}
}

// handOver puts a kept socket in the place of the app's own, with what belongs to the descriptor
// and to the open file, and with the options that may be set at any time: this generation may set others
// than the one before.
func (h *Holder) handOver(c call, own int, inode uint64) (answered bool, err error) {
	h.publish()
	_, kept, err := h.keep(request{op: opGet, inode: inode, fd: -1})
	if err != nil {
		return false, err
	}
	defer unix.Close(kept)
	err = copyNonblock(kept, own)
	copyOptions(kept, own, optionsOf(own))
	closeOnExec := false
	if err == nil {
		closeOnExec, err = closesOnExec(c.Thread, c.FD)
	}
	if err == nil {
		err = c.Replace(c.Notification, kept, closeOnExec)
	}
	switch {
	case errors.Is(err, seccomp.ErrGone):
		return true, nil
	case err != nil:
		h.do(h.table.Broken(inode, "it cannot be handed over: "+err.Error()))
		return false, nil
	}
	return true, c.Succeed(c.Notification)
}

// copyNonblock gives one open file the O_NONBLOCK of another.
func copyNonblock(to, from int) error {
	flags, err := unix.FcntlInt(uintptr(from), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	return unix.SetNonblock(to, flags&unix.O_NONBLOCK != 0)
}

// listen has the kernel do a listen, and keeps a copy of the socket when it is one to keep. The
// first copy starts the process that keeps them: the app does not wait for that.
func (h *Holder) listen(c call) (answered bool, err error) {
	if h.table.Off() != "" {
		return false, nil
	}
	own, err := socketOf(c.Notification)
	if err != nil {
		return false, err
	}
	kept := false
	defer func() {
		if !kept {
			unix.Close(own)
		}
	}()
	place, err := boundTo(own)
	if err != nil {
		return false, err
	}
	inode, err := inodeOf(own)
	if err != nil {
		return false, err
	}
	if !c.Waiting(c.Notification) {
		return false, seccomp.ErrGone
	}
	if h.isTaken(inode) {
		return true, c.Continue(c.Notification)
	}
	verdict, acts := h.table.Listen(time.Now(), c.gen, inode, place)
	h.do(acts)
	if verdict == hold.Confirm && h.table.Keeps(inode) {
		return true, c.Succeed(c.Notification)
	}
	err = c.Continue(c.Notification)
	if kept = verdict == hold.Continue && len(acts) > 0; kept {
		return true, errors.Join(err, h.put(inode, own))
	}
	return true, err
}
