// Who logs in at Redis, where that changes while a client lives.
using System;

namespace Flagstone;

/// <summary>User and password, or token, for Redis. Shown without the password.</summary>
public sealed class RedisCredentials
{
    /// <summary>Makes credentials.</summary>
    /// <param name="user">See <see cref="User"/>.</param>
    /// <param name="password">See <see cref="Password"/>.</param>
    /// <param name="validFor">See <see cref="ValidFor"/>.</param>
    /// <exception cref="ArgumentException">The password is null or empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The time is over.</exception>
    public RedisCredentials(string? user, string password, TimeSpan? validFor = null)
    {
        User = string.IsNullOrEmpty(user) ? null : user;
        Password = password ?? throw new ArgumentNullException(nameof(password));
        if (password.Length == 0)
        {
            throw new ArgumentException("the password is empty", nameof(password));
        }
        if (validFor <= TimeSpan.Zero)
        {
            throw new ArgumentOutOfRangeException(nameof(validFor), validFor, "credentials that hold for no time are none");
        }
        ValidFor = validFor;
    }

    /// <summary>Null for the default user.</summary>
    public string? User { get; }

    /// <summary>The password or token.</summary>
    public string Password { get; }

    /// <summary>
    /// For how long they hold from now on; null when that is not known. New ones are asked for when four fifths of it are over.
    /// </summary>
    public TimeSpan? ValidFor { get; }

    /// <summary>Says nothing about the password.</summary>
    /// <returns>User and time.</returns>
    public override string ToString() =>
        $"{nameof(RedisCredentials)} of {User ?? "the default user"}{(ValidFor is TimeSpan time ? $", valid for {time:c}" : "")}";
}
