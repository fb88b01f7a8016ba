//! Tests of limits that are shared through Redis. `OPENLIMIT_REDIS_SERVER` names another server
//! than `redis-server`.

mod clock;
mod cluster;
mod concurrency;
mod connections;
mod counting;
mod declared;
mod defects;
mod errors;
mod exactly_once;
mod failover;
mod flush;
mod fork;
mod harness;
mod hold;
mod hostile;
mod identity;
mod keyed;
mod leases;
mod live;
mod long_waits;
mod money;
mod network;
mod observe;
mod outage;
mod parts;
mod permits;
mod processes;
mod programs;
mod queue;
mod reported;
mod stack;
mod state_loss;
mod unreachable;
mod urls;
mod windows;
