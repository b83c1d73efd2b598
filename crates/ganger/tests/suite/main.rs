//! The whole program against a real kernel: each topic in a file, each test in a sandbox of its own.
//!
//! Tests wait on events with a deadline and measure no time. What they demand of a message are the words that a
//! user needs, not its exact text; exact texts stand in the transcripts.

mod about;
mod adoption;
mod apps;
mod attach;
mod attach_terminal;
mod background;
mod bad_input;
mod benchmark_app;
mod daemon;
mod death;
mod examples;
mod fastcgi;
mod faulty_kernel;
mod foreground;
mod foreman;
mod forward;
mod full_disk;
mod hostile;
mod import;
mod leaving;
mod life;
mod listeners;
mod log_files;
mod log_places;
mod logs;
mod namespaces;
mod overmind;
mod policies;
mod ports;
mod queue;
mod races;
mod readiness;
mod reload;
mod run;
mod scarcity;
mod screen;
mod screen_terminal;
mod second_terminal;
mod secrets;
mod stdin;
mod superlance;
mod supervisor_http;
mod supervisor_keys;
mod supervisor_logs;
mod supervisord;
mod support;
mod terminals;
mod transcripts;
mod trees;
mod unattended;
mod upgrade;
mod usage;
mod watch;
