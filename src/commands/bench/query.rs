//! `trellis bench query`: what asking costs, and whether the answers are right.

use super::asking::{Answers, Asker, Question};
use super::expected::{Judge, expect};
use super::lines::Lines;
use super::on_one_thread;
use super::process::{CpuSpent, Watched};
use super::questions::{self, CLASSES};
use super::records::Records;
use super::report::{Form, Report};
use super::socket::Socket;
use super::target::Target;
use clap::Args;
use futures_util::future::try_join_all;
use std::collections::HashSet;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
#[command(after_help = "\
The relay must have exactly the events of the file. Every answer is compared with what they say should come: which events, \
newest first and equally old ones by id, up to the limit, none twice, and of replaceable ones the last. First every \
question is asked once, with every event read whole and its id and signature checked; then the clock starts. The exit code \
is 1 where any answer was wrong, and standard error says which.

Questions of twelve classes find about 46 events each. None would find gift wraps (kind 1059), which relays may keep from \
those who have not authenticated.

Example:
  trellis bench query -u ws://127.0.0.1:8080 -e corpus.jsonl -p $(pgrep -x trellis) --pin 1")]
pub(super) struct Query {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    lines: Lines,
    /// Questions of each class.
    #[arg(long, default_value_t = 100, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    per_class: usize,
    /// How often each is asked.
    #[arg(long, default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    rounds: usize,
    /// Which of all questions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Connections that ask at once in the second part.
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    connections: usize,
    /// Questions that wait for an answer on each of them.
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    in_flight: usize,
    /// Take equally old events in any order, against NIP-01.
    #[arg(long)]
    ties_in_any_order: bool,
    /// Kinds of the file that the relay shows to nobody here.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    hidden_kinds: Vec<u16>,
    #[command(flatten)]
    form: Form,
}

impl Query {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let relay = self.target.prepare()?;
        self.target.ensure_files_for(self.connections + 2)?;
        let started = Instant::now();
        let questions = self.questions()?;
        let mut report = Report::default();
        report.number("reading_the_file_seconds", started.elapsed().as_secs_f64());
        let mut told = Answers::default();
        on_one_thread(async {
            self.check(&questions, &mut told).await?;
            self.one_at_a_time(&questions, relay, &mut report, &mut told)
                .await?;
            self.saturated(&questions, relay, &mut report, &mut told)
                .await
        })?;
        report.count("wrong_answers", told.wrong);
        report.count("notices", told.notices);
        if let Some(notice) = &told.last_notice {
            report.text("last_notice", notice);
        }
        report.print(&self.form)?;
        anyhow::ensure!(
            told.wrong == 0,
            "{} of {} answers were wrong:\n{}",
            told.wrong,
            told.queries,
            told.mistakes.join("\n")
        );
        Ok(())
    }

    fn questions(&self) -> anyhow::Result<Vec<Question>> {
        let records = Records::read(&self.lines, &self.hidden_kinds)?;
        let asked = questions::make(&records, self.seed, self.per_class);
        let asks: Vec<_> = asked.iter().flat_map(|(_, filters)| filters).collect();
        let mut hits = expect(&records, &asks).into_iter();
        let questions = asked.iter().map(|(class, filters)| {
            let json: Vec<String> = filters
                .iter()
                .map(|filter| filter.json().to_string())
                .collect();
            Question {
                class: *class,
                filters_json: json.join(","),
                hits: hits.by_ref().take(filters.len()).collect(),
            }
        });
        Ok(questions.collect())
    }

    /// Every question once, unmeasured, with every event looked at closely.
    async fn check(&self, questions: &[Question], told: &mut Answers) -> anyhow::Result<()> {
        let mut asker = self.asker(questions).await?;
        asker.thorough = Some(HashSet::new());
        let all: Vec<usize> = (0..questions.len()).collect();
        told.add(asker.ask(&all, self.in_flight).await?);
        Ok(())
    }

    async fn one_at_a_time(
        &self,
        questions: &[Question],
        relay: Option<Watched>,
        report: &mut Report,
        told: &mut Answers,
    ) -> anyhow::Result<()> {
        let mut asker = self.asker(questions).await?;
        let mut rows = Vec::new();
        let mut all = Measured::default();
        for (class, name) in CLASSES.iter().enumerate() {
            let of_class: Vec<usize> = (0..questions.len())
                .filter(|at| questions[*at].class == class)
                .collect();
            let measured = Measured::of(relay, async || {
                asker.ask(&of_class.repeat(self.rounds), 1).await
            })
            .await?;
            let mut row = Report::default();
            row.text("class", name);
            measured.tell(&mut row);
            row.number("p50_ms", measured.answers.latencies.percentile_ms(50.0));
            row.number("p99_ms", measured.answers.latencies.percentile_ms(99.0));
            row.count("wrong", measured.answers.wrong);
            rows.push(row);
            all.add(measured);
        }
        report.rows("classes", rows);
        let mut part = Report::default();
        all.tell_all(&mut part);
        report.group("one_at_a_time", part);
        told.add(all.answers);
        Ok(())
    }

    async fn saturated(
        &self,
        questions: &[Question],
        relay: Option<Watched>,
        report: &mut Report,
        told: &mut Answers,
    ) -> anyhow::Result<()> {
        let mut askers = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            askers.push(self.asker(questions).await?);
        }
        let all: Vec<usize> = (0..questions.len()).collect::<Vec<_>>().repeat(self.rounds);
        let connections = self.connections;
        let measured = Measured::of(relay, async || {
            let asking = askers.iter_mut().enumerate().map(|(number, asker)| {
                let own: Vec<usize> = all
                    .iter()
                    .copied()
                    .skip(number)
                    .step_by(connections)
                    .collect();
                async move { asker.ask(&own, self.in_flight).await }
            });
            let mut answers = Answers::default();
            for some in try_join_all(asking).await? {
                answers.add(some);
            }
            Ok(answers)
        })
        .await?;
        let mut part = Report::default();
        part.count("connections", connections as u64);
        part.count("in_flight_of_each", self.in_flight as u64);
        measured.tell_all(&mut part);
        report.group("saturated", part);
        told.add(measured.answers);
        Ok(())
    }

    async fn asker<'q>(&self, questions: &'q [Question]) -> anyhow::Result<Asker<'q>> {
        Ok(Asker {
            socket: Socket::connect(&self.target).await?,
            questions,
            judge: Judge {
                ties_in_any_order: self.ties_in_any_order,
            },
            thorough: None,
        })
    }
}

/// Answers with what they cost.
#[derive(Debug, Default)]
struct Measured {
    answers: Answers,
    relay: Option<CpuSpent>,
    own: CpuSpent,
    wall: Duration,
}

impl Measured {
    async fn of(
        relay: Option<Watched>,
        ask: impl AsyncFnOnce() -> anyhow::Result<Answers>,
    ) -> anyhow::Result<Self> {
        let own = Watched::own();
        let (relay_before, own_before) = (relay.map(Watched::cpu).transpose()?, own.cpu()?);
        let started = Instant::now();
        let answers = ask().await?;
        let wall = started.elapsed();
        let relay = match (relay, relay_before) {
            (Some(relay), Some(before)) => Some(relay.cpu()?.since(&before)),
            _ => None,
        };
        Ok(Measured {
            answers,
            relay,
            own: own.cpu()?.since(&own_before),
            wall,
        })
    }

    fn add(&mut self, other: Measured) {
        self.answers.add(other.answers);
        self.relay = other
            .relay
            .map(|spent| spent + self.relay.unwrap_or_default());
        self.own = self.own + other.own;
        self.wall += other.wall;
    }

    fn tell(&self, report: &mut Report) {
        let queries = self.answers.queries.max(1) as f64;
        let events = self.answers.events.max(1) as f64;
        report.count("queries", self.answers.queries);
        report.number("events_per_query", self.answers.events as f64 / queries);
        let relay = self.relay;
        report.number_if(
            "relay_cpu_us_per_query",
            relay.map(|spent| spent.total_us / queries),
        );
        report.number_if(
            "relay_cpu_us_per_event",
            relay.map(|spent| spent.total_us / events),
        );
    }

    fn tell_all(&self, report: &mut Report) {
        self.tell(report);
        let queries = self.answers.queries.max(1) as f64;
        let relay = self.relay;
        report.number_if(
            "relay_user_us_per_query",
            relay.map(|spent| spent.user_us / queries),
        );
        report.number_if(
            "relay_system_us_per_query",
            relay.map(|spent| spent.system_us / queries),
        );
        report.number("generator_cpu_us_per_query", self.own.total_us / queries);
        report.number(
            "queries_per_second",
            queries / self.wall.as_secs_f64().max(1e-9),
        );
        report.group_or_empty("latency", self.answers.latencies.report());
    }
}
