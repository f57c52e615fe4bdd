// The provider of credentials of one client: asked when the library asks for some, and never waited for.
//
// The pump begins the calls, after pauses where one has failed, and gives up those that take too long; what a call gives goes to
// the library from where it ends. Between two calls nothing refers to this object but its client, so that a client that is
// forgotten goes away, also when its provider refers to it.
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Logging;

namespace Flagstone;

/// <param name="provider">The provider.</param>
/// <param name="give">Hands credentials to the library; does not wait.</param>
/// <param name="wake">Has the pump look again.</param>
/// <param name="logger">Gets what the provider throws.</param>
internal sealed class RedisCredentialsKeeper(
    Func<CancellationToken, ValueTask<RedisCredentials>> provider, Action<RedisCredentials> give, Action wake, ILogger logger)
{
    /// <summary>Calls that may be without an answer at the same time: those that were given up may go on.</summary>
    internal const int MostOpen = 8;

    private readonly object _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Random _random = new();

    /// <summary>The call that is waited for.</summary>
    private Call? _call;

    /// <summary>When to call next; null when nobody asks.</summary>
    private TimeSpan? _due;
    private int _begun;
    private int _open;

    /// <summary>The latest call whose answer was taken, and when.</summary>
    private int _taken;
    private TimeSpan? _takenAt;

    /// <summary>Calls in a row that failed, and answers in a row that Redis refused at once.</summary>
    private int _failures;
    private int _refusals;
    private bool _hasEnded;

    /// <summary>How long an answer is waited for.</summary>
    internal TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The pause after a first failure, which is doubled with each further one.</summary>
    internal TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest pause.</summary>
    internal TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The library needs credentials: the provider is called at the next look, after a pause if what it gave just now was refused
    /// again and again.
    /// </summary>
    internal void Ask(string reason)
    {
        lock (_lock)
        {
            if (_hasEnded || _call is not null || _due is not null)
            {
                return;
            }
            bool soon = reason == "refused" && _clock.Elapsed - _takenAt < LongestPause;
            _refusals = soon ? _refusals + 1 : 0;
            _due = _clock.Elapsed + Pause(_refusals - 1);
        }
    }

    /// <summary>
    /// Gives up a call that takes too long, and begins one if it is time. Only the pump calls it. Never waits.
    /// </summary>
    /// <returns>The time until the next look; null when there is nothing to look at.</returns>
    internal TimeSpan? Look()
    {
        if (_call is Call late && _clock.Elapsed >= late.Deadline)
        {
            late.GiveUp();
            Failed(late, new TimeoutException($"it did not answer within {Limit.TotalSeconds} s"));
        }
        Begin();
        lock (_lock)
        {
            TimeSpan? next = _call?.Deadline ?? _due;
            return next is TimeSpan time ? TimeSpan.FromTicks(Math.Max(0, (time - _clock.Elapsed).Ticks)) : null;
        }
    }

    /// <summary>No call is begun any more, and nobody waits for the one that is under way.</summary>
    internal void End()
    {
        Call? call;
        lock (_lock)
        {
            _hasEnded = true;
            _due = null;
            call = _call;
            _call = null;
        }
        call?.GiveUp();
    }

    private void Begin()
    {
        Call call;
        bool isOpen;
        lock (_lock)
        {
            if (_hasEnded || _call is not null || _due is not TimeSpan due || _clock.Elapsed < due)
            {
                return;
            }
            _due = null;
            _call = call = new Call(++_begun, _clock.Elapsed + Limit);
            isOpen = _open < MostOpen;
            _open += isOpen ? 1 : 0;
        }
        if (!isOpen)
        {
            Failed(call, new TimeoutException($"{MostOpen} calls have not been answered"));
            return;
        }
        // A thread of its own: those of the pool may all be busy, and a provider that blocks would keep one.
        _ = Task.Factory.StartNew(
            () => RunAsync(call), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private async Task RunAsync(Call call)
    {
#pragma warning disable CA1031 // a provider that throws is asked again
        try
        {
            Take(call, await provider(call.Token).ConfigureAwait(false));
        }
        catch (Exception error)
        {
            Failed(call, error);
        }
#pragma warning restore CA1031
        lock (_lock)
        {
            _open--;
        }
        // Who looks has another time to look at.
        wake();
    }

    /// <summary>An answer; one that comes late counts, too, unless there is a newer one.</summary>
    private void Take(Call call, RedisCredentials? credentials)
    {
        lock (_lock)
        {
            if (_hasEnded || call.Number < _taken)
            {
                return;
            }
            give(credentials ?? throw new InvalidOperationException("it gave no credentials"));
            _taken = call.Number;
            _takenAt = _clock.Elapsed;
            _failures = 0;
            _due = null;
            if (_call == call)
            {
                _call = null;
            }
        }
    }

    private void Failed(Call call, Exception error)
    {
        TimeSpan pause;
        lock (_lock)
        {
            if (_call != call)
            {
                return;
            }
            _call = null;
            pause = Pause(++_failures);
            _due = _clock.Elapsed + pause;
        }
        Log.CredentialsFailed(logger, error, pause.TotalSeconds);
    }

    /// <summary>The pause before a call that follows on so many failures; processes that fail together do not call together.</summary>
    private TimeSpan Pause(int failures)
    {
        if (failures <= 0)
        {
            return TimeSpan.Zero;
        }
        double ticks = Math.Min(FirstPause.Ticks * Math.Pow(2, Math.Min(failures - 1, 30)), LongestPause.Ticks);
#pragma warning disable CA5394 // no secret
        return TimeSpan.FromTicks((long)(ticks * (0.8 + (0.2 * _random.NextDouble()))));
#pragma warning restore CA5394
    }

    /// <summary>One call of the provider.</summary>
#pragma warning disable CA1001 // a provider that was given up may go on using it, and it has nothing to give back
    private sealed class Call(int number, TimeSpan deadline)
#pragma warning restore CA1001
    {
        private readonly CancellationTokenSource _stop = new();

        internal int Number => number;

        internal TimeSpan Deadline => deadline;

        internal CancellationToken Token => _stop.Token;

        /// <summary>Nobody waits for the answer any more.</summary>
        internal void GiveUp() => Waiting.Cancel(_stop);
    }
}
