package run

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main measures until that is done, or somebody interrupts it, and ends a benchmark of that name with exit
// code 1 when it has failed.
func Main(name string, measure func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, name+": error:", err)
		os.Exit(1)
	}
}
