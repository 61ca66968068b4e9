package statedir

func (d *Dir) AddRun(id string) error    { return d.addRun(id) }
func (d *Dir) ForgetRun(id string) error { return d.forgetRuns(id) }
func (d *Dir) PreviousRuns() []string    { return d.previous() }
