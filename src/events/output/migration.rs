//! Steps of migrations, and what was measured of them.

use super::{Writer, given};
use crate::events::event::{Measurement, Migration, Operation, Origins};
use crate::model::write_number;

impl Writer<'_> {
    pub(super) fn migration(&mut self, migration: &Migration) {
        self.begin("migration_op", migration.at, None, &migration.context, true);
        self.ratio(migration.sampling_ratio);
        self.out.push_str(match migration.operation {
            Operation::Read => ",\"operation\":\"read\"",
            Operation::Write => ",\"operation\":\"write\"",
        });
        self.string(",\"evaluation\":{\"key\":", &migration.key);
        if let Some(version) = migration.version {
            self.integer(",\"version\":", version);
        }
        if let Some(variation) = migration.variation {
            self.integer(",\"variation\":", variation);
        }
        self.json(",\"value\":", &migration.value);
        if let Some(default) = given(migration.default.as_deref()) {
            self.json(",\"default\":", default);
        }
        self.json(",\"reason\":", &migration.reason);
        self.out.push_str("},\"measurements\":[");
        migration.measurements.iter().for_each(|measurement| self.measurement(measurement));
        self.out.push(']');
    }

    /// One that says nothing is left out.
    fn measurement(&mut self, measurement: &Measurement) {
        match measurement {
            Measurement::Invoked(sides) => self.truths("invoked", sides),
            Measurement::Errors(sides) => self.truths("error", sides),
            Measurement::Latency(sides) => {
                let finite = |latency: Option<f64>| latency.filter(|latency| latency.is_finite());
                self.sides("latency_ms", [finite(sides.old), finite(sides.new)], write_number);
            }
            Measurement::Consistent { is_consistent, sampling_ratio } => {
                self.measured("consistent");
                self.json(",\"value\":", if *is_consistent { "true" } else { "false" });
                self.ratio(*sampling_ratio);
                self.out.push('}');
            }
        }
    }

    fn truths(&mut self, key: &str, sides: &Origins<bool>) {
        self.sides(key, [sides.old.then_some(()), sides.new.then_some(())], |(), out| out.push_str("true"));
    }

    /// What is known of the old and of the new side.
    fn sides<T>(&mut self, key: &str, [old, new]: [Option<T>; 2], write: impl Fn(T, &mut String)) {
        if old.is_none() && new.is_none() {
            return;
        }
        self.measured(key);
        self.out.push_str(",\"values\":{");
        for (name, value) in [("old", old), ("new", new)] {
            let Some(value) = value else { continue };
            self.string(if self.out.ends_with('{') { "" } else { "," }, name);
            self.out.push(':');
            write(value, &mut self.out);
        }
        self.out.push_str("}}");
    }

    /// What all measurements have, without the end.
    fn measured(&mut self, key: &str) {
        if !self.out.ends_with('[') {
            self.out.push(',');
        }
        self.string("{\"key\":", key);
    }
}
