package hold

import "strconv"

func (s bound) describe() string { return "bound by generation " + strconv.Itoa(s.gen) }
func (s handed) describe() string {
	return "handed to generation " + strconv.Itoa(s.gen) + ", which does not listen yet"
}
func (s listening) describe() string { return "listening by generation " + strconv.Itoa(s.gen) }
func (s held) describe() string      { return "held since " + s.since.Format("15:04:05") }
