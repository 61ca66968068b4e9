package listeners

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/hold"
	"github.com/devguard/devguard/supervisor/logline"
)

// do does what the table has decided and shows the table as it is then. A failure is news for the
// table.
func (h *Holder) do(acts []hold.Action) {
	open := sync.OnceValue(func() map[uint64]int { return descriptors(h.pids()) })
	h.awaitAccepts(acts)
	for _, a := range acts {
		if err := h.act(a, acts, open); errors.Is(err, errLost) {
			h.lost()
		}
	}
	h.publish()
}

// act does one of acts. open are the descriptors that the tree has of sockets. Only the loss of the
// keeper is an error here.
func (h *Holder) act(a hold.Action, acts []hold.Action, open func() map[uint64]int) (err error) {
	switch a := a.(type) {
	case hold.LetGo:
		return h.letGo(a, acts)
	case hold.TurnOff:
		h.say(logline.SocketsNotHeld(a.Reason, a.Hint))
	case hold.Lengthen:
		op := byte(opLengthen)
		if a.Defer && open()[a.Inode] > 0 {
			op = opDefer
		}
		err = h.try(a.Inode, request{op: op}, "it cannot listen again") // when the app has shut it down, and its port is somebody else's by now
	case hold.Renew:
		err = h.renew(a.Inode)
	case hold.TakeOver:
		err = h.try(a.Inode, request{op: opTakeOver}, "those who wait cannot be taken over")
	case hold.Recover:
		h.keepAgain(a.Inode)
	case hold.Look:
		h.do(h.table.Closed(h.abandoned(a)))
	case hold.Answer:
		if open()[a.Inode] == 0 {
			err = h.try(a.Inode, request{op: opAnswer, reason: a.Reason}, "nobody can be answered")
		}
	case hold.Silence:
		err = h.try(a.Inode, request{op: opSilence}, "answering cannot be ended")
	}
	return err
}

// try asks the keeper for what may fail for one socket, which is let go then; broken says so.
func (h *Holder) try(inode uint64, r request, broken string) error {
	r.inode, r.fd = inode, -1
	_, _, err := h.keep(r)
	if err != nil && !errors.Is(err, errLost) {
		h.do(h.table.Broken(inode, broken+": "+err.Error()))
		return nil
	}
	return err
}

// renew has the keeper make another socket in the place of one. That it could not is no failure: it
// needs the same user as the app has, the same network namespace and options that anybody may set.
func (h *Holder) renew(inode uint64) error {
	renewed, _, err := h.keep(request{op: opRenew, inode: inode, fd: -1})
	switch {
	case errors.Is(err, errLost):
		return err
	case err != nil:
		h.do(h.table.NotRenewed(inode))
	default:
		h.table.Renewed(time.Now(), inode, renewed)
	}
	return nil
}

// letGo closes a copy and says so, unless it is no news or all is let go for the same reason.
func (h *Holder) letGo(a hold.LetGo, acts []hold.Action) (err error) {
	if h.keeper != nil {
		_, _, err = h.keep(request{op: opDrop, inode: a.Inode, fd: -1})
	}
	if off, is := acts[len(acts)-1].(hold.TurnOff); !a.Quiet && (!is || off.Reason != a.Reason) {
		h.say(logline.SocketLetGo(a.Place.String(), a.Reason))
	}
	return err
}

// abandoned returns those sockets which no process of the tree has open, and on which connections wait
// unless all are asked for. There are none while a process does not let us look.
func (h *Holder) abandoned(l hold.Look) []uint64 {
	found := slices.Clone(l.Inodes)
	if !l.All {
		found = slices.DeleteFunc(found, func(inode uint64) bool {
			n, _, err := h.keep(request{op: opWaiting, inode: inode, fd: -1})
			return err != nil || n == 0
		})
	}
	if len(found) == 0 {
		return nil
	}
	open, _, hidden := survey(h.pids())
	return slices.DeleteFunc(found, func(inode uint64) bool { return hidden || open[inode] > 0 })
}

// keep asks the keeper for something.
func (h *Holder) keep(r request) (value uint64, got int, err error) {
	if h.keeper == nil {
		return 0, -1, errLost
	}
	return h.keeper.ask(r)
}

// keepAgain has another keeper keep a socket that a process of the tree has.
func (h *Holder) keepAgain(inode uint64) {
	fd, err := findSocket(h.pids(), inode)
	if err == nil {
		err = h.put(inode, fd)
	}
	if err != nil { // also when the new keeper is lost: there is no third
		h.do(h.table.Broken(inode, keeperKilled))
	}
}

// put has the keeper keep a copy of fd, which it may have to be started for.
func (h *Holder) put(inode uint64, fd int) error {
	defer unix.Close(fd)
	if h.keeper == nil {
		k, err := startKeeper()
		if err != nil {
			return err
		}
		h.keeper = k
	}
	_, _, err := h.keeper.ask(request{op: opPut, inode: inode, fd: fd})
	return err
}
