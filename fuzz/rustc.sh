#!/bin/sh
# What cargo calls for rustc when run.py builds: our own crates get libFuzzer's coverage, as
# cargo-fuzz asks for it. Crates from the registry are those that the tests are built of.
rustc=$1
shift
case " $* " in
*" --crate-name quintet_"*)
	set -- "$@" --cfg=fuzzing -Cpasses=sancov-module \
		-Cllvm-args=-sanitizer-coverage-level=4 \
		-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
		-Cllvm-args=-sanitizer-coverage-pc-table \
		-Cllvm-args=-sanitizer-coverage-trace-compares \
		-Cllvm-args=-simplifycfg-branch-fold-threshold=0
	;;
esac
exec "$rustc" "$@"
