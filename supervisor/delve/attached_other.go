//go:build !linux

package delve

func (s Server) attached() attachment { return unknown }
