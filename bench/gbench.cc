/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only C++ file: registers every bench_case with Google Benchmark. A repetition is one call of
 * measure(): setup, all iterations in batches that are timed by hand, teardown. Google Benchmark
 * chooses the number of iterations; its own timer is not used, so reset() between two batches costs
 * wall time but is not measured.
 */
#include <benchmark/benchmark.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <pthread.h>
#include <regex>
#include <string>
#include <vector>

extern "C" {
#include "bench/core_share.h"
#include "bench/gbench.h"
}

namespace {

const bench_case *const suites[] = {
#define SUITE(name) bench_##name##_cases,
#include "bench/suites.def"
#undef SUITE
};

double now_ns()
{
	timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

/* One case, argument and thread count; shared by the threads of a repetition. */
struct registration {
	const bench_case *c;
	s64 arg;
	unsigned threads;
	double goal, rival;
	const gbench_options *opt;
	std::string name;
	bench_ctx ctx;
	int failed;
	double core_width = 0; /* least so far; 0: not looked at */
	pthread_barrier_t barrier;
};

std::string full_name(const registration &r)
{
	std::string s = std::string(r.c->suite) + "/" + r.c->name;

	if (r.c->nr_args)
		s += std::string("/") + (r.c->arg_name ? r.c->arg_name : "arg") + "=" + std::to_string(r.arg);
	if (r.c->threads[0])
		s += "/threads=" + std::to_string(r.threads);
	return s;
}

void setup(registration *r)
{
	memset(&r->ctx, 0, sizeof(r->ctx));
	r->ctx.arg = r->arg;
	r->ctx.threads = r->threads;
	r->ctx.items = r->c->items ? r->c->items : 1;
	r->failed = r->c->setup ? r->c->setup(&r->ctx) : 0;
}

/* Runs @total iterations; returns the nanoseconds spent in run(). */
double run_batches(const registration *r, bench_ctx *ctx, u64 total, const perf_set *perf)
{
	double ns = 0;

	while (total) {
		u64 n = r->c->batch && r->c->batch < total ? r->c->batch : total;
		if (perf)
			perf_start(perf);
		double start = now_ns();
		r->c->run(ctx, n);
		ns += now_ns() - start;
		if (perf)
			perf_stop(perf);
		total -= n;
		if (total && r->c->reset)
			r->c->reset(ctx);
	}
	return ns;
}

void look_at_core(registration *r)
{
	double w = core_width();

	if (!r->core_width || w < r->core_width)
		r->core_width = w;
}

void count_perf(benchmark::State &state, const perf_set *perf, double items)
{
	double v[NR_PERF_ITEMS];

	perf_read(perf, v);
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++)
		if (v[i] >= 0)
			state.counters[perf_name(i)] =
				benchmark::Counter(v[i] / items, benchmark::Counter::kAvgThreads);
}

void measure(benchmark::State &state, registration *r)
{
	if (state.thread_index() == 0) {
		setup(r);
		look_at_core(r);
	}
	pthread_barrier_wait(&r->barrier);
	if (r->failed) {
		state.SkipWithError(r->ctx.error ? r->ctx.error : strerror(-r->failed));
		return;
	}
	bench_ctx ctx = r->ctx;
	perf_set perf;

	ctx.thread = unsigned(state.thread_index());
	if (r->opt->perf)
		perf_open(&perf);
	u64 total = u64(state.max_iterations);
	double items = double(total) * double(ctx.items);
	while (state.KeepRunningBatch(state.max_iterations)) {
		double ns = run_batches(r, &ctx, total, r->opt->perf ? &perf : nullptr);

		state.SetIterationTime(ns / 1e9);
		state.counters["ns"] = benchmark::Counter(ns / items, benchmark::Counter::kAvgThreads);
	}
	if (r->opt->perf) {
		count_perf(state, &perf, items);
		perf_close(&perf);
	}
	state.SetItemsProcessed(int64_t(items));
	/* leaving the loop was a barrier: no thread is in run() any more */
	if (state.thread_index() != 0)
		return;
	look_at_core(r);
	if (r->c->teardown)
		r->c->teardown(&r->ctx);
}

/* Hands the repetitions of a case to the C side. */
class collector : public benchmark::BenchmarkReporter {
    public:
	collector(const gbench_options *o, const std::vector<std::unique_ptr<registration>> *rs)
		: opt(o), registered(rs), total(0)
	{
		try {
			std::regex re(o->filter, std::regex::extended);

			for (auto &r : *rs)
				total += std::regex_search(r->name, re);
		} catch (const std::regex_error &) {
			total = 0; /* Google Benchmark will complain */
		}
	}

	bool ReportContext(const Context &) override
	{
		return true;
	}

	void ReportRuns(const std::vector<Run> &runs) override
	{
		gbench_result out = {};
		std::vector<double> ns;

		for (const Run &run : runs) {
			if (run.run_type != Run::RT_Iteration)
				continue;
			const registration *r = find(run.run_name.function_name);

			if (!r)
				continue;
			out.c = r->c;
			out.arg = r->arg;
			out.threads = r->threads;
			out.goal = r->goal;
			out.rival = r->rival;
			out.name = r->name.c_str();
			out.core_width = r->core_width;
			if (run.error_occurred) {
				out.error = run.error_message.c_str();
				continue;
			}
			auto value = run.counters.find("ns");
			if (value == run.counters.end())
				continue;
			ns.push_back(value->second.value);
			out.iterations = u64(run.iterations) / r->threads;
			add_perf(&out, run, ns.size());
		}
		out.repetitions = unsigned(ns.size());
		out.ns = ns.data();
		out.total = total;
		if (out.c)
			opt->result(opt->self, &out);
	}

    private:
	const gbench_options *opt;
	const std::vector<std::unique_ptr<registration>> *registered;
	unsigned total;

	const registration *find(const std::string &name) const
	{
		for (auto &r : *registered)
			if (r->name == name)
				return r.get();
		return nullptr;
	}

	/* Running mean over the repetitions. */
	static void add_perf(gbench_result *out, const Run &run, size_t n)
	{
		for (unsigned i = 0; i < NR_PERF_ITEMS; i++) {
			auto p = run.counters.find(perf_name(i));

			if (p == run.counters.end())
				out->perf[i] = -1;
			else
				out->perf[i] += (p->second.value - out->perf[i]) / double(n);
		}
	}
};

void add(std::vector<std::unique_ptr<registration>> *all, const bench_case *c, unsigned arg, unsigned threads,
	 const gbench_options *opt)
{
	auto r = std::make_unique<registration>();

	r->c = c;
	r->arg = c->nr_args ? c->args[arg] : 0;
	r->goal = c->arg_goals[arg] > 0 ? c->arg_goals[arg] : c->goal;
	r->rival = c->arg_rivals[arg] > 0 ? c->arg_rivals[arg] : c->rival;
	r->threads = threads;
	r->opt = opt;
	r->name = full_name(*r);
	pthread_barrier_init(&r->barrier, nullptr, threads);
	registration *p = r.get();
	auto *b = benchmark::RegisterBenchmark(r->name.c_str(), [p](benchmark::State &s) { measure(s, p); });

	b->UseManualTime();
	if (c->iterations)
		b->Iterations(benchmark::IterationCount(c->iterations));
	if (threads > 1)
		b->Threads(int(threads));
	all->push_back(std::move(r));
}

void add_all(std::vector<std::unique_ptr<registration>> *all, const gbench_options *opt)
{
	for (const bench_case *c : suites)
		for (; c->name; c++)
			for (unsigned a = 0; a < (c->nr_args ? c->nr_args : 1); a++)
				for (unsigned t = 0; t < BENCH_MAX_THREADS && (!t || c->threads[t]); t++)
					add(all, c, a, c->threads[t] ? c->threads[t] : 1, opt);
}

} // namespace

extern "C" int gbench_run(const char *const *flags, const gbench_options *opt)
{
	std::vector<std::string> text = {"memrig bench"};
	std::vector<char *> argv;
	std::vector<std::unique_ptr<registration>> all;

	for (; *flags; flags++)
		text.push_back(*flags);
	for (auto &s : text)
		argv.push_back(&s[0]);
	int argc = int(argv.size());

	argv.push_back(nullptr);
	benchmark::Initialize(&argc, argv.data());
	if (benchmark::ReportUnrecognizedArguments(argc, argv.data()))
		return -EINVAL;
	add_all(&all, opt);
	collector mine(opt, &all);
	size_t n = opt->native ? benchmark::RunSpecifiedBenchmarks() : benchmark::RunSpecifiedBenchmarks(&mine);

	for (auto &r : all)
		pthread_barrier_destroy(&r->barrier);
	benchmark::Shutdown();
	return int(n);
}
