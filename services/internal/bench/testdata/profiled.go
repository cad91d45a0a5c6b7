// Package main is an addition to cmd/estela, of any revision, that BenchmarkMachine builds with
// it: SIGUSR1 starts a CPU profile, SIGUSR2 writes it to the file of ESTELA_BENCH_PROFILE.
package main

import (
	"bytes"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

func init() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		var profile bytes.Buffer
		<-signals
		if err := pprof.StartCPUProfile(&profile); err != nil {
			panic(err)
		}
		<-signals
		pprof.StopCPUProfile()
		file := os.Getenv("ESTELA_BENCH_PROFILE")
		if err := os.WriteFile(file+".part", profile.Bytes(), 0o600); err != nil {
			panic(err)
		}
		if err := os.Rename(file+".part", file); err != nil { // it is there once it is whole
			panic(err)
		}
	}()
}
