package translate

func (d *draft) reflex(text string) error      { return nil }
func (d *draft) wgo(text string) error         { return nil }
func (d *draft) nodemonFile(data []byte) error { return nil }
func (d *draft) nodemonLine(text string) error { return nil }
