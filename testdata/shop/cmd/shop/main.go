// Shop is the sample service that devguard's README, tests and benchmark run:
// a small web shop over Postgres.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/shop/internal/config"
	"example.com/shop/internal/store"
	"example.com/shop/internal/web"
	"example.com/shopkit"
)

// release names this state of the shop.
const release = "shop-1"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, log *slog.Logger) error {
	cfg, err := config.FromEnv(os.Getenv)
	if err != nil {
		return err
	}
	// Five seconds cover a Postgres that was started together with the shop.
	s, err := store.Open(ctx, 5*time.Second, log)
	if err != nil {
		return err
	}
	defer s.Close()
	handler, err := web.New(release, cfg.Templates, s, s.ResetHandler(), log)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return err
	}
	log.Info("shop is open", "url", "http://"+ln.Addr().String(), "release", release)
	return shopkit.Serve(ctx, ln, handler, cfg.Grace)
}
