package session

import "time"

// pass observes a session whose bytes pass unchanged.
type pass struct {
	account *account
}

func newPass(a *account) *pass { return &pass{account: a} }

func (p *pass) progress() progress { return progress{} }

func (p *pass) sent(byte, time.Time) {}

func clientWant(byte, int) int { return 0 }

func serverWant(byte, int) int { return 0 }

func (s *Session) watchClient(in []byte, now time.Time) int { return len(in) }

func (s *Session) watchServer(in []byte, now time.Time) int { return len(in) }
