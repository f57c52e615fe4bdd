// Logins that change while the client lives.
using System;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>Null without a provider.</summary>
    private readonly RedisCredentialsKeeper? _credentials;

    /// <summary>
    /// Who logs in at Redis from now on: new connections do so with these credentials, and those that are open log in anew between
    /// two commands. For <see cref="RedisCredentialsSource.Host"/> and <see cref="RedisCredentialsSource.Static"/>; a client with a
    /// <see cref="FlagstoneOptions.RedisCredentialsProvider"/> asks that by itself. At any time, also before the start. Does not
    /// wait: whether Redis takes them, <see cref="RedisStatus.Credentials"/> tells.
    /// </summary>
    /// <param name="credentials">The credentials.</param>
    /// <exception cref="ArgumentNullException">There are none.</exception>
    /// <exception cref="ArgumentException">
    /// User or password is no text or too long, or the client has no Redis, or gets its credentials elsewhere.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    /// <exception cref="FlagstoneLibraryException">The native library is too old.</exception>
    public unsafe void SetRedisCredentials(RedisCredentials credentials)
    {
        _ = credentials ?? throw new ArgumentNullException(nameof(credentials));
        byte[] user = Utf8.Encode(credentials.User ?? "", nameof(credentials), "the user");
        byte[] password = Utf8.Encode(credentials.Password, nameof(credentials), "the password");
        // Rounded up: zero says that it is not known.
        long validForMs = credentials.ValidFor is TimeSpan time ? (long)Math.Ceiling(time.TotalMilliseconds) : 0;
        NativeLoader.Require(NativeMethods.flagstone_abi_version(), NativeLoader.CredentialsMinor, nameof(SetRedisCredentials));
        byte none = 0;
        IntPtr error = IntPtr.Zero;
        fixed (byte* userPointer = user, passwordPointer = password)
        {
            int status = NativeMethods.flagstone_client_set_credentials(
                _native,
                userPointer is null ? &none : userPointer,
                (nuint)user.Length,
                passwordPointer is null ? &none : passwordPointer,
                (nuint)password.Length,
                validForMs,
                &error);
            GC.KeepAlive(this);
            NativeResult.Check(status, error, nameof(credentials));
        }
    }

    internal void OnCredentials(string reason) => _credentials?.Ask(reason);

    /// <summary>Looks after a provider.</summary>
    /// <returns>How long the pump may wait until it is to look again; null: as long as it likes.</returns>
    internal TimeSpan? LookAfterCredentials() => _credentials?.Look();

    private RedisCredentialsKeeper? KeeperOf(FlagstoneOptions options) => options.RedisCredentialsProvider is null
        ? null
        : new RedisCredentialsKeeper(options.RedisCredentialsProvider, SetRedisCredentials, Wake, _logger);

    private void Wake()
    {
        NativeMethods.flagstone_wake(_native);
        GC.KeepAlive(this);
    }
}
