package session

// newRewrite makes the conduct of mode Rewrite.
func newRewrite(a *account) conduct { panic("BUG: mode Rewrite is not there yet") }
