package reload

// What is here goes on beside the round and the instance. No decision depends on how
// it ends: it is counted, so that devguard does not end before it, and when it fails
// that is said.

// Quit is a SIGQUIT that devguard got: it is for the app, which answers with a
// goroutine dump.
type Quit struct{}

// ForwardQuit sends SIGQUIT to a generation.
type ForwardQuit struct {
	ID  ID
	Gen int
}

// Suspend is a Ctrl-Z that devguard got.
type Suspend struct{}

// StopJob stops a generation, if there is one, and devguard itself, and continues both once
// somebody continues devguard.
type StopJob struct {
	ID  ID
	Gen int // 0: nothing runs
}

// Prepare makes ready what the stop of a generation that is ready needs, and the next start, so that
// they take less time.
type Prepare struct {
	ID  ID
	Gen int
}

// CloseRetired closes the database side of one earlier configuration, the oldest. Nothing
// that was started with it is left.
type CloseRetired struct{ ID ID }

// BesideDone answers ForwardQuit, StopJob, Prepare and CloseRetired.
type BesideDone struct {
	ID     ID
	Err    error
	Brings any // for the loop to hold; see Adopt
}

// Adopt hands back what an answer has brought for the loop to hold: the graph, the
// configuration. Step has taken the answer; what a stale one brings is dropped with it.
// It is done at once and has no answer.
type Adopt struct{ Brings any }

func (Quit) event()       {}
func (Suspend) event()    {}
func (BesideDone) event() {}

func (ForwardQuit) effect()  {}
func (StopJob) effect()      {}
func (Prepare) effect()      {}
func (CloseRetired) effect() {}
func (Adopt) effect()        {}

func (m *machine) forwardQuit() {
	if gen := m.inst.withProcesses(); gen != 0 {
		m.issue(func(id ID) Effect { return ForwardQuit{id, gen} })
	}
}

// stopJob answers a Ctrl-Z. A second one before the first has done its work is the same one.
func (m *machine) stopJob() {
	if m.jobStop != 0 {
		return
	}
	gen := m.inst.withProcesses()
	m.jobStop = m.issue(func(id ID) Effect { return StopJob{id, gen} })
}

func (m *machine) prepare() {
	gen := m.inst.gen
	m.issue(func(id ID) Effect { return Prepare{id, gen} })
}

// closeRetired waits for the end of the generation that runs: it may have been started
// with the database side of an earlier configuration, and its sessions are drained
// there.
func (m *machine) closeRetired() {
	for ; m.retired > 0 && m.inst.gone(); m.retired-- {
		m.issue(func(id ID) Effect { return CloseRetired{id} })
	}
}

func (m *machine) besideDone(ev BesideDone) {
	m.warn(ev.Err)
	m.adopt(ev.Brings)
	if ev.ID == m.jobStop {
		m.jobStop = 0
	}
}

// warn says that something did not work which stops nothing.
func (m *machine) warn(err error) {
	if err != nil {
		m.log(Log{What: LogWarning, Err: err})
	}
}

func (m *machine) adopt(brings any) {
	if brings != nil {
		m.effects = append(m.effects, Adopt{brings})
	}
}
