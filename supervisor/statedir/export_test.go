package statedir

func (s *State) AddRun(id string) error    { return s.addRun(id) }
func (s *State) ForgetRun(id string) error { return s.forgetRuns(id) }
func (s *State) PreviousRuns() []string    { return s.previousRuns() }
